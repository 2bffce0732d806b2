//! What HTTPS shows: the operator's certificate, or one from our own CA. Renewed without a restart.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use providore_pki::{
    CertificateAuthority as _, LocalCa, Profile, SerialNumber, SoftwareKey, Validity, VerifiedCsr,
    ca::CertificateTerms, csr, profile::AltName,
};
use providore_wire::{DeviceId, Timestamp};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _},
};
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_rustls::TlsAcceptor;

use crate::{
    ca, clock,
    data::DataFolder,
    failure::{Failure, OrFail as _, Outcome},
    settings::Tls,
};

/// How long a certificate from our own CA lasts; it is replaced every day.
const OWN_LIFETIME_S: u64 = 30 * 86_400;

/// How often the files are read again, or our own certificate is renewed, in seconds by the clock: a
/// timer stands still while the machine sleeps, and knows nothing of a clock that was set.
const FRESHEN_EVERY_S: i64 = 86_400;

/// How often the clock is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Whether what was made then has to be made anew: a day has passed, or the clock was set back.
fn is_due(made: Timestamp, now: Timestamp) -> bool {
    !(0..FRESHEN_EVERY_S).contains(&now.seconds_since(made))
}

/// The certificate and key in use.
pub(super) struct Material {
    source: Source,
    config: RwLock<Arc<ServerConfig>>,
}

enum Source {
    Files {
        certificate: PathBuf,
        key: PathBuf,
    },
    OwnCa {
        ca: Box<LocalCa>,
        names: Vec<AltName>,
    },
}

impl Material {
    /// Reads or makes a certificate.
    pub(super) fn new(folder: &DataFolder, tls: &Tls) -> Outcome<Self> {
        let source = match (&tls.certificate, &tls.key) {
            (Some(certificate), Some(key)) => Source::Files {
                certificate: certificate.clone(),
                key: key.clone(),
            },
            (None, None) => Source::OwnCa {
                ca: Box::new(ca::open(&folder.ca, super::ca_password().as_deref())?),
                names: own_names(&tls.names)?,
            },
            _ => {
                return Err(Failure::new(
                    "a TLS certificate needs its key, and a key its certificate",
                )
                .hint("give both --tls-cert and --tls-key, or neither"));
            }
        };
        let config = RwLock::new(Arc::new(source.config()?));
        Ok(Self { source, config })
    }

    /// Shakes hands with what is in use now.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&config))
    }
}

/// Renews the certificate every day; while that fails, the last good one stays.
pub(super) async fn keep_fresh(material: Arc<Material>, mut stopped: watch::Receiver<bool>) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut made = clock::now();
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            _ = stopped.changed() => return,
        }
        if !is_due(made, clock::now()) {
            continue;
        }
        made = clock::now();
        match material.source.config() {
            Ok(config) => {
                *material
                    .config
                    .write()
                    .unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                tracing::info!("TLS certificate renewed");
            }
            Err(error) => tracing::error!(%error, "TLS certificate not renewed; keeping the last"),
        }
    }
}

impl Source {
    fn config(&self) -> Outcome<ServerConfig> {
        let (chain, key) = match self {
            Self::Files { certificate, key } => {
                let chain = CertificateDer::pem_file_iter(certificate)
                    .and_then(Iterator::collect)
                    .or_fail(format!(
                        "read the TLS certificate {}",
                        certificate.display()
                    ))?;
                let key = PrivateKeyDer::from_pem_file(key)
                    .or_fail(format!("read the TLS key {}", key.display()))?;
                (chain, key)
            }
            Self::OwnCa { ca, names } => own_certificate(ca, names)?,
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .or_fail("set up TLS")?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .or_fail("use the TLS certificate with its key")?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

type Shown = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn own_certificate(ca: &LocalCa, names: &[AltName]) -> Outcome<Shown> {
    let (mut key, serial) = (fresh_key()?, SerialNumber::from_entropy(&clock::entropy()));
    let pkcs8 = key.to_pkcs8_der().or_fail("encode a TLS key")?.to_vec();
    let name: DeviceId = "providore-server".parse().or_fail("name the server")?;
    let mut buffer = [0; csr::MAX_DER_LEN];
    let request = csr::write_der(&mut key, &name, &mut buffer).or_fail("write a request")?;
    let request = VerifiedCsr::check(request, &name).or_fail("check our own request")?;
    let now = clock::now_unix();
    if now < ca.validity().not_before_unix() {
        let begin = ca::date(ca.validity().not_before_unix());
        return Err(Failure::new(format!(
            "the clock of this machine says {}, and the CA begins at {begin}",
            clock::now()
        ))
        .hint("set the clock, then start again"));
    }
    let validity = Validity::starting_at(now, OWN_LIFETIME_S).or_fail("date a TLS certificate")?;
    let serial = serial.ok_or_else(|| Failure::new("the random number generator gave zeros"))?;
    let terms =
        CertificateTerms::new(Profile::Server, serial, validity).with_alt_names(names.to_vec());
    let issued = ca
        .issue(&request, &terms)
        .or_fail("issue a TLS certificate")?;
    let chain = CertificateDer::pem_slice_iter(issued.chain_pem().as_bytes())
        .collect::<Result<_, _>>()
        .or_fail("read our own certificate")?;
    Ok((chain, PrivatePkcs8KeyDer::from(pkcs8).into()))
}

/// A new P-256 key; one random number in 2³² is no key, so this ends at once.
pub(crate) fn fresh_key() -> Outcome<SoftwareKey> {
    let mut key = SoftwareKey::from_scalar(&clock::entropy());
    for _ in 0..3 {
        if key.is_ok() {
            break;
        }
        key = SoftwareKey::from_scalar(&clock::entropy());
    }
    key.or_fail("make a key")
}

/// The names given, and those under which a server is reached from its own machine.
fn own_names(given: &[String]) -> Outcome<Vec<AltName>> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let always = ["localhost", "127.0.0.1", "::1"];
    let mut names = Vec::new();
    for name in given {
        names.push(
            name.parse()
                .or_fail(format!("use the name {name:?} in a certificate"))?,
        );
    }
    names.extend(
        always
            .iter()
            .chain([&host.trim()])
            .filter_map(|name| name.parse().ok()),
    );
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_by_the_clock_and_not_by_a_timer() {
        let at = |unix| Timestamp::from_unix(unix).unwrap();
        let made = at(1_800_000_000);
        for (later, due) in [
            (0, false),
            (FRESHEN_EVERY_S - 1, false),
            (FRESHEN_EVERY_S, true),
            // The machine slept for a month; the clock was set back by an hour.
            (30 * FRESHEN_EVERY_S, true),
            (-3600, true),
        ] {
            assert_eq!(is_due(made, made.saturating_add(later)), due, "{later}");
        }
    }
}
