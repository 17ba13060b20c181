// A real OpenID Connect provider on loopback, with nobody to ask: whoever signs in is named by `login_hint`, or by the
// file `person`, and consents. Prints its port when it listens.
//
// node provider.mjs SETTINGS.json
//
// SIGUSR2 takes it off the network, and back; the port of `introspection` stays open, for the mail server. What it gives
// out is written to the file `issued`, a line each: the harness looks for it where it must not be.
// POST /control/revoke ends all grants, POST /control/forget the access tokens alone, and POST /control/deaf lets all
// questions of the mail server fail from then on, or none.
import { X509Certificate } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const issuer = `http://127.0.0.1:${settings.port}`;
const person = () => readFileSync(settings.person, 'utf8').trim();
const client = ({ certificate, ...rest }) => {
  if (!certificate) return rest;
  const key = new X509Certificate(readFileSync(certificate)).publicKey.export({ format: 'jwk' });
  return { ...rest, jwks: { keys: [{ ...key, use: 'sig' }] } };
};

const provider = new Provider(issuer, {
  clients: settings.clients.map(client),
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
  conformIdTokenClaims: false,
  scopes: ['openid', 'email', 'offline_access', 'mail', ...settings.scopes],
  // an app's token opens any mailbox here: the server asks for the name that is written down
  extraTokenClaims: (_ctx, token) => ({ mail: token.accountId ?? person() }),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  // some providers give one to whoever signs in, others to those who ask for it
  issueRefreshToken: async (_ctx, client, code) =>
    client.grantTypeAllowed('refresh_token') && (client.clientId === 'generous' || code.scopes.has('offline_access')),
  rotateRefreshToken: () => settings.rotate !== false,
  ttl: {
    AccessToken: settings.life ?? 3600,
    ClientCredentials: settings.life ?? 3600,
    RefreshToken: 24 * 3600,
    DeviceCode: 600,
  },
  renderError: (ctx, out) => { ctx.type = 'json'; ctx.body = out; },
});

// where a front hands on what was said to another address
const { OIDCContext } = provider;
const expected = OIDCContext.prototype.clientJwtAuthExpectedAudience;
OIDCContext.prototype.clientJwtAuthExpectedAudience = function audiences() {
  return settings.audience ? new Set([...expected.call(this), settings.audience]) : expected.call(this);
};

const grants = new Set();
const accesses = new Set();
let deaf = false;
provider.on('refresh_token.saved', (token) => grants.add(token.grantId));
provider.on('access_token.saved', (token) => accesses.add(token));

provider.use(async (ctx, next) => {
  if (ctx.path.startsWith('/control/')) {
    ctx.status = 204;
    if (ctx.path === '/control/deaf') return void (deaf = !deaf);
    for (const token of accesses) await token.destroy();
    accesses.clear();
    if (ctx.path === '/control/revoke') for (const grant of grants) await provider.RefreshToken.revokeByGrantId(grant);
    return;
  }
  if (deaf && ctx.path === '/token/introspection') return void (ctx.status = 500);
  await next();
  const code = /[?&]code=([^&]+)/.exec(ctx.response.get('location') ?? '');
  const given = { code: code?.[1], ...(ctx.method === 'POST' && ctx.status === 200 ? ctx.body : {}) };
  for (const kind of ['code', 'device_code', 'access_token', 'refresh_token']) {
    if (typeof given[kind] === 'string') appendFileSync(settings.issued, `${kind} ${given[kind]}\n`);
  }
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

const server = createServer(provider.callback());
const listen = () => server.listen(settings.port, '127.0.0.1', () => console.log(settings.port));
process.on('SIGUSR2', () => {
  if (!server.listening) return listen();
  server.close();
  server.closeAllConnections();
});
createServer(provider.callback()).listen(settings.introspection, '127.0.0.1', listen);
