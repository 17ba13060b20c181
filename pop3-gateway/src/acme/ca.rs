//! One order at a CA: from the names to a certificate.
//!
//! Owns the words between the two, and what a refusal means for the operator. Knows nothing of when. Every call blocks.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use futures_lite::future::block_on;
use instant_acme::{
    AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier, NewOrder, Order,
    OrderStatus, Problem,
};
use peer_trust::{CertificateFacts, provider};
use pop3_server::rustls::pki_types::pem::PemObject as _;
use pop3_server::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use pop3_server::rustls::sign::CertifiedKey;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::answers::{Answers, Given};
use super::client::Client;
use super::trouble::{Trouble, clean, here, kind, slow};
use super::{account, place};
use crate::config::Acme;

/// How long it is waited between two looks at an order; a CA that needs longer than all of it is given up.
const PAUSES: [u64; 9] = [1, 1, 2, 4, 8, 15, 30, 30, 30];

/// A certificate that has come.
pub(super) struct Issued {
    /// The key and the chain.
    pub(super) pem: String,
    pub(super) key: Arc<CertifiedKey>,
}

/// What is asked for.
pub(super) struct Wish<'w> {
    pub(super) settings: &'w Acme,
    pub(super) folder: &'w Path,
    pub(super) names: &'w [String],
    /// How a CA may look, the best first.
    pub(super) challenges: &'w [ChallengeType],
    pub(super) answers: &'w Answers,
    /// Which certificate it is to replace, where the CA wants to know that.
    pub(super) replaces: Option<CertificateIdentifier<'static>>,
}

impl Wish<'_> {
    /// Asks for it.
    pub(super) fn come_true(&self) -> Result<Issued, Trouble> {
        let client = Client::new(self.settings)?;
        let issued = block_on(self.issue(&client));
        issued.map_err(|trouble| Trouble {
            retry_after: client.retry_after(),
            ..trouble
        })
    }

    async fn issue(&self, client: &Client) -> Result<Issued, Trouble> {
        let names: Vec<_> = self.names.iter().cloned().map(Identifier::Dns).collect();
        let mut order = match self.order(client, &names).await {
            // a CA that begins anew has forgotten it
            Err(error) if kind(&error) == "accountDoesNotExist" => {
                let forgotten = fs::remove_file(place::account(self.folder));
                forgotten.map_err(|error| here(error.to_string()))?;
                self.order(client, &names).await
            }
            order => order,
        }
        .map_err(|error| self.refused(error))?;
        let given = self.prove(&mut order).await?;
        self.is_ready(client, &mut order).await?;
        drop(given);
        self.finalize(client, &mut order).await
    }

    async fn order(&self, client: &Client, names: &[Identifier]) -> Result<Order, Error> {
        let account = account::opened(client, self.settings, self.folder).await?;
        let order = NewOrder::new(names);
        if let Some(replaced) = &self.replaces {
            // a CA that does not know the certificate, or has replaced it, still issues another one (RFC 9773 section 5)
            match account.new_order(&order.replaces(replaced.clone())).await {
                Err(error)
                    if !["accountDoesNotExist", "rateLimited"].contains(&kind(&error).as_str()) =>
                {
                    tracing::debug!(%error, "the CA takes the order for no renewal");
                }
                order => return order,
            }
        }
        account.new_order(&NewOrder::new(names)).await
    }

    /// Lets the CA look at each name that it has not looked at lately.
    async fn prove(&self, order: &mut Order) -> Result<Vec<Given>, Trouble> {
        let mut given = Vec::new();
        let mut all = order.authorizations();
        while let Some(next) = all.next().await {
            let mut next = next.map_err(|error| self.refused(error))?;
            if next.status == AuthorizationStatus::Valid {
                continue;
            }
            let offered =
                |kind: &&ChallengeType| next.challenges.iter().any(|own| own.r#type == **kind);
            let Some(kind) = self.challenges.iter().find(offered).cloned() else {
                return Err(Trouble {
                    what: format!(
                        "the CA looks at {} in no way that is served here",
                        next.identifier()
                    ),
                    remedy: "serve = [\"acme\"] in an [[http]] without TLS is for port 80, one with TLS for port 443"
                        .into(),
                    retry_after: None,
                });
            };
            let Some(mut challenge) = next.challenge(kind.clone()) else {
                continue;
            };
            let proof = challenge.key_authorization();
            let name = challenge.identifier().to_string();
            given.push(if kind == ChallengeType::TlsAlpn01 {
                let given = self.answers.certificate(&name, proof.digest().as_ref());
                given.map_err(here)?
            } else {
                self.answers.text(&challenge.token, proof.as_str())
            });
            let told = challenge.set_ready().await;
            told.map_err(|error| self.refused(error))?;
        }
        Ok(given)
    }

    /// Waits until the CA has looked.
    async fn is_ready(&self, client: &Client, order: &mut Order) -> Result<(), Trouble> {
        for pause in PAUSES {
            let state = order.refresh().await.map_err(|error| self.refused(error))?;
            match state.status {
                OrderStatus::Ready | OrderStatus::Processing | OrderStatus::Valid => return Ok(()),
                OrderStatus::Pending => client.pause(pause),
                OrderStatus::Invalid => return Err(self.unproven(order).await),
            }
        }
        Err(slow())
    }

    /// What the CA found wrong.
    async fn unproven(&self, order: &mut Order) -> Trouble {
        let mut all = order.authorizations();
        while let Some(next) = all.next().await {
            let Ok(mut next) = next else { continue };
            let Ok(state) = next.refresh().await else {
                continue;
            };
            let name = state.identifier().to_string();
            let mut errors = state.challenges.iter();
            if let Some(problem) = errors.find_map(|own| own.error.clone()) {
                let trouble = self.refused(Error::Api(problem));
                return Trouble {
                    what: format!("{name}: {}", trouble.what),
                    ..trouble
                };
            }
        }
        Trouble {
            what: "the CA gave the order up and does not say why".into(),
            remedy: "look at its status page".into(),
            retry_after: None,
        }
    }

    async fn finalize(&self, client: &Client, order: &mut Order) -> Result<Issued, Trouble> {
        let make = || -> Result<_, rcgen::Error> {
            let mut params = CertificateParams::new(self.names)?;
            params.distinguished_name = DistinguishedName::new();
            let key = KeyPair::generate()?;
            Ok((params.serialize_request(&key)?, key))
        };
        let (request, key) = make().map_err(|error| here(error.to_string()))?;
        let asked = order.finalize_csr(request.der()).await;
        asked.map_err(|error| self.refused(error))?;
        for pause in PAUSES {
            let came = order.certificate().await;
            if let Some(chain) = came.map_err(|error| self.refused(error))? {
                let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
                let checked = self.checked(&chain, private)?;
                let pem = format!("{}{chain}", key.serialize_pem());
                return Ok(Issued { pem, key: checked });
            }
            client.pause(pause);
        }
        Err(slow())
    }

    /// The certificate is for this key and these names.
    fn checked(
        &self,
        pem: &str,
        key: PrivateKeyDer<'static>,
    ) -> Result<Arc<CertifiedKey>, Trouble> {
        let wrong = |what: String| Trouble {
            what: format!("the CA sent a certificate that does not fit: {what}"),
            remedy: "ask the CA".into(),
            retry_after: None,
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let chain = chain.map_err(|error| wrong(error.to_string()))?;
        let facts = chain.first().and_then(|own| CertificateFacts::read(own));
        let facts = facts.ok_or_else(|| wrong("it cannot be read".into()))?;
        if let Some(missing) = self.names.iter().find(|name| !facts.names.contains(name)) {
            return Err(wrong(format!("it is not for {missing}")));
        }
        let key = CertifiedKey::from_der(chain, key, &provider());
        key.map(Arc::new).map_err(|error| wrong(error.to_string()))
    }

    /// What an error means, and what there is to do about it.
    fn refused(&self, error: Error) -> Trouble {
        let account = place::account(self.folder);
        let name = kind(&error);
        let remedy = match name.as_str() {
            "rateLimited" => "nothing: it is asked again later".into(),
            "externalAccountRequired" => {
                "write eab_kid and eab_key_file into [acme]; the CA has both for its customers"
                    .into()
            }
            "userActionRequired" => "read the CA's terms of service, which have changed".into(),
            "rejectedIdentifier" | "malformed" => "check the names in acme".into(),
            "caa" => "the CAA records of the name do not allow this CA".into(),
            "connection" | "dns" | "tls" | "incorrectResponse" => format!(
                "each name has to lead here, and the CA has to reach {} from outside",
                self.ports()
            ),
            "unauthorized" | "accountDoesNotExist" | "invalidContact" | "unsupportedContact" => {
                format!(
                    "if the account was closed, remove {}, and another one is made; check contact in [acme], and \
                     that each name leads here",
                    account.display()
                )
            }
            "serverInternal" => "nothing: it is asked again later".into(),
            _ => "check directory and ca_file in [acme], and the way to the CA".into(),
        };
        let what = if let Error::Api(Problem { detail, .. }) = error {
            let detail = detail.unwrap_or_default();
            format!("the CA says: {} ({name})", clean(&detail))
        } else if let Error::Json(_) = error {
            "the CA answers with something that is no ACME".into()
        } else {
            clean(&error.to_string())
        };
        Trouble {
            what,
            remedy,
            retry_after: None,
        }
    }

    fn ports(&self) -> &'static str {
        match self.challenges {
            [ChallengeType::TlsAlpn01] => "port 443",
            [ChallengeType::Http01] => "port 80",
            _ => "ports 443 and 80",
        }
    }
}
