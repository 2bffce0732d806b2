//! `cert issue`: a certificate for something that does not speak to this server, such as a broker.

use std::path::PathBuf;

use clap::{Args, value_parser};
use futures_lite::future::block_on;
use providore_pki::{
    CertificateAuthority as _, IssuedCertificate, LocalCa, Profile, SerialNumber, Validity,
    VerifiedCsr, ca::CertificateTerms, csr, profile::AltName,
};
use providore_server_core::{
    CertificateLog as _, CertificatePolicy, DeviceStore as _, Issued, json_files::JsonStore,
};
use providore_wire::{DeviceId, Timestamp};
use serde_json::json;

use crate::{
    Common, ca, clock,
    commands::{
        arguments,
        files::read_bounded,
        print::{note, say, say_json},
    },
    failure::{Failure, OrFail as _, Outcome},
    serve::ca_password,
};

/// Whom to issue it to, and what it says.
#[derive(Debug, Args)]
#[command(after_help = "\
Example, for an MQTT broker:
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \\
    -keyout broker.key.pem -subj /CN=broker.lan -out broker.csr
  providore-server cert issue broker.lan --csr broker.csr --name broker.lan > broker.chain.pem

The chain goes to standard output, the certificate first, without the root (GET /certificates/ca.pem). It
is in `cert list` and can be revoked like any other. Nobody renews it: `cert list --expiring 30` names it
in time.")]
pub(crate) struct IssueArgs {
    /// What it is called: the common name of the request.
    #[arg(value_parser = arguments::device)]
    id: DeviceId,
    /// The request: PKCS#10 in PEM or DER.
    #[arg(long, value_name = "FILE")]
    csr: PathBuf,
    /// A DNS name or IP address under which it is reached; may be given several times. Default: its id.
    #[arg(long = "name", value_name = "DNS_OR_IP")]
    names: Vec<AltName>,
    /// What the certificate is for.
    #[arg(long, default_value = "server")]
    profile: Profile,
    /// Its life in days; it does not outlive the issuing certificate.
    #[arg(long, default_value_t = 90, value_parser = value_parser!(u16).range(1..=i64::from(CertificatePolicy::MAX_DAYS)))]
    days: u16,
}

pub(super) fn run(common: &Common, args: &IssueArgs) -> Outcome {
    let folder = common.folder();
    let store = folder.store()?;
    if block_on(store.device(&args.id))
        .or_fail("look up the device")?
        .is_some()
    {
        return Err(Failure::new(format!("{} is a device of this server", args.id)).hint(
            "it asks for its certificates itself, and another one would supersede those. Choose another \
             name",
        ));
    }
    let csr = read(args)?;
    let key = csr.key_fingerprint();
    if block_on(store.is_key_forbidden(&key)).or_fail("look up the key")? {
        return Err(Failure::new("the key of this request was revoked")
            .hint("make a new key and a new request"));
    }
    let ca = ca::open(&folder.ca, ca_password().as_deref())?;
    let issued = issue(args, &csr, &ca)?;
    log(&store, args, &csr, &issued)?;
    let (certificate, chain) = (issued.certificate(), issued.chain_pem());
    let until = ca::date(certificate.not_after_unix());
    if common.json {
        return say_json(&json!({
            "id": args.id.as_str(),
            "serial": certificate.serial().to_string(),
            "not_after": until.to_string(),
            "chain": chain,
        }));
    }
    note(&format!(
        "issued {} to {} until {until}",
        certificate.serial(),
        args.id
    ));
    say(chain)
}

fn read(args: &IssueArgs) -> Outcome<VerifiedCsr> {
    let shown = args.csr.display();
    let bytes = read_bounded(&args.csr, csr::MAX_LEN).or_fail(format!("read {shown}"))?;
    VerifiedCsr::check(&bytes, &args.id)
        .or_fail(format!("use the request {shown}"))
        .map_err(|failure| failure.hint(format!("its subject has to be /CN={}", args.id)))
}

fn issue(args: &IssueArgs, csr: &VerifiedCsr, ca: &LocalCa) -> Outcome<IssuedCertificate> {
    let serial = SerialNumber::from_entropy(&clock::entropy())
        .ok_or_else(|| Failure::new("the random number generator gave zeros"))?;
    let lifetime_s = u64::from(args.days).saturating_mul(86_400);
    let validity = Validity::starting_at(clock::now_unix(), lifetime_s);
    let terms = CertificateTerms::new(
        args.profile,
        serial,
        validity.or_fail("date a certificate")?,
    )
    .with_alt_names(args.names.clone());
    ca.issue(csr, &terms).or_fail("issue the certificate")
}

/// Writes it down before it is handed out: what is not in the log can never be revoked.
fn log(
    store: &JsonStore,
    args: &IssueArgs,
    csr: &VerifiedCsr,
    issued: &IssuedCertificate,
) -> Outcome {
    let certificate = issued.certificate();
    let not_after = i64::try_from(certificate.not_after_unix()).ok();
    let entry = Issued {
        device: args.id.clone(),
        serial: *certificate.serial(),
        csr_sha256: *csr.fingerprint(),
        at: clock::now(),
        not_after: not_after
            .and_then(Timestamp::from_unix)
            .unwrap_or(Timestamp::MAX),
        chain_pem: issued.chain_pem().into(),
    };
    block_on(store.append(entry)).or_fail("write the certificate down")
}
