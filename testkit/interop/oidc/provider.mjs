// A real OpenID Connect provider on loopback, with nobody to ask: whoever signs in is named by `login_hint`, or by the
// file `person`, and consents. Prints its port when it listens.
//
// node provider.mjs SETTINGS.json
import { readFileSync } from 'node:fs';
import { Provider } from 'oidc-provider';

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const issuer = `http://127.0.0.1:${settings.port}`;
const person = () => readFileSync(settings.person, 'utf8').trim();

const provider = new Provider(issuer, {
  clients: settings.clients,
  clientAuthMethods: ['none', 'client_secret_post', 'client_secret_basic', 'private_key_jwt'],
  enabledJWA: { clientAuthSigningAlgValues: ['PS256', 'RS256'] },
  cookies: { keys: ['interop'] },
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
  },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: id, email_verified: true }),
  }),
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  scopes: ['openid', 'email', 'offline_access', 'mail'],
  // an app's token opens any mailbox here: the server asks for the name that is written down
  extraTokenClaims: (_ctx, token) => ({ mail: token.accountId ?? person() }),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: async (_ctx, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
  rotateRefreshToken: () => settings.rotate !== false,
  ttl: {
    AccessToken: settings.life ?? 3600,
    ClientCredentials: settings.life ?? 3600,
    RefreshToken: 24 * 3600,
    DeviceCode: 600,
  },
  renderError: (ctx, out) => { ctx.type = 'json'; ctx.body = out; },
});

// signs in and consents at once
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const { prompt, params, session, grantId } = await provider.interactionDetails(ctx.req, ctx.res);
  const accountId = session?.accountId ?? params.login_hint ?? person();
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope ?? 'openid offline_access');
  const result = prompt.name === 'login' ? { login: { accountId } } : { consent: { grantId: await grant.save() } };
  await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: true });
});

provider.on('server_error', (_ctx, error) => console.error('server_error', error));
provider.on('grant.error', (_ctx, error) => console.error('grant.error', error.message, error.error_detail ?? ''));
provider.listen(settings.port, '127.0.0.1', () => console.log(settings.port));
