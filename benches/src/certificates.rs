//! From CSR to certificate: the computing alone, and durable before the answer.

use std::{hint::black_box, sync::Arc};

use p256::ecdsa::{
    Signature, SigningKey, VerifyingKey,
    signature::{Signer as _, Verifier as _},
};
use providore_pki::{
    CertificateAuthority as _, LocalCa, Profile, SerialNumber, SoftwareKey, Validity, VerifiedCsr,
    ca::{CaSettings, CertificateTerms},
    csr,
};
use providore_server_core::{
    Device, Dialect, Moment, Request, Server, Settings, Start,
    json_files::{JsonStore, Layout},
};
use providore_sign::{
    HeaderInstructions,
    original::{RequestToSign, sign_request},
};
use providore_wire::{DeviceId, Method, Timestamp};

use crate::{
    Outcome,
    measure::{pair, ratio, time},
    report::Report,
};

const NOW: u64 = 1_767_323_045;
const CERTIFICATES: usize = 50;

/// The computing alone, beside one P-256 verification and one signature.
pub(crate) fn issue(report: &mut Report) -> Outcome {
    let ca = authority()?;
    let device: DeviceId = "d8fa0180".parse()?;
    let mut buffer = [0; csr::MAX_PEM_LEN];
    let request = csr_of(&device, 7, &mut buffer)?;
    let mut serial = 0_u64;
    let ours = || {
        for _ in 0..CERTIFICATES {
            serial = serial.wrapping_add(1);
            let mut entropy = [1; 16];
            entropy[8..].copy_from_slice(&serial.to_be_bytes());
            let issued = VerifiedCsr::check(request.as_bytes(), &device)
                .ok()
                .and_then(|csr| {
                    let serial = SerialNumber::from_entropy(&entropy)?;
                    let validity = Validity::starting_at(NOW, 90 * 86_400).ok()?;
                    ca.issue(
                        &csr,
                        &CertificateTerms::new(Profile::Client, serial, validity),
                    )
                    .ok()
                });
            assert!(black_box(issued).is_some(), "the CA must issue");
        }
    };
    let key = SigningKey::from_slice(&[7; 32])?;
    let message = [9; 512];
    let signature: Signature = key.sign(&message);
    let ceiling = || {
        for _ in 0..CERTIFICATES {
            let verified = VerifyingKey::from(&key).verify(black_box(&message), &signature);
            assert!(verified.is_ok(), "the signature must verify");
            let signature: Signature = key.sign(black_box(&message));
            black_box(signature);
        }
    };
    let (ours, ceiling) = pair(11, ours, ceiling);
    let share = ratio(ceiling, ours);
    let each = |time: std::time::Duration| CERTIFICATES as f64 / time.as_secs_f64();
    report.add(
        "CSR → certificate, without the disk",
        &format!("{:.0}/s, {:.0} %", each(ours), share * 100.0),
        &format!("{:.0}/s, P-256 verify + sign alone", each(ceiling)),
        ("at least 40 %", share >= 0.4),
    );
    Ok(())
}

/// A whole request, signed, checked, issued, synced to disk and answered; 64 devices at once.
pub(crate) fn issue_durably(report: &mut Report) -> Outcome {
    const DEVICES: usize = 64;
    const EACH: usize = 16;
    let folder = tempfile::tempdir_in(".")?;
    let store = JsonStore::open(Layout::below(folder.path()))?;
    store.edit::<_, Box<dyn std::error::Error + Send + Sync>>(|devices| {
        for number in 0..DEVICES {
            devices.insert(format!("device-{number}"), "a secret".into());
        }
        Ok(())
    })?;
    let settings = Settings::DEFAULT;
    let server = Arc::new(Server::new(store, authority()?, settings, &start()?)?);
    let mut requests = Vec::new();
    for number in 0..DEVICES {
        let id: DeviceId = format!("device-{number}").parse()?;
        let device = Device::new(id, b"a secret", Dialect::Original)?;
        for turn in 0..EACH {
            let scalar = u8::try_from(number.wrapping_mul(EACH).wrapping_add(turn) % 250)?;
            requests.push(signed_request(&device.id, scalar.wrapping_add(1), turn)?);
        }
    }
    let total = requests.len();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let (elapsed, issued) = time(|| {
        runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            let mut queues: Vec<Vec<Prepared>> = (0..DEVICES).map(|_| Vec::new()).collect();
            for (number, request) in requests.into_iter().enumerate() {
                if let Some(queue) = queues.get_mut(number / EACH) {
                    queue.push(request);
                }
            }
            for queue in queues {
                let server = Arc::clone(&server);
                tasks.spawn(async move {
                    let mut issued = 0_usize;
                    for prepared in queue {
                        issued = issued.wrapping_add(usize::from(prepared.send(&server).await));
                    }
                    issued
                });
            }
            tasks.join_all().await.into_iter().sum::<usize>()
        })
    });
    assert_eq!(issued, total, "every request must get its certificate");
    let rate = total as f64 / elapsed.as_secs_f64();
    report.add(
        "CSR → certificate, synced to disk before the answer, 64 devices at once",
        &format!("{rate:.0}/s"),
        "the figure above",
        ("at least 500/s", rate >= 500.0),
    );
    Ok(())
}

/// A request ready to be handed to the server.
struct Prepared {
    fields: Vec<(&'static str, String)>,
    body: String,
    entropy: [u8; Moment::ENTROPY_LEN],
}

impl Prepared {
    async fn send(&self, server: &Server<JsonStore>) -> bool {
        let fields: Vec<(&str, &[u8])> = self
            .fields
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        let request = Request {
            method: "POST",
            target: "/certificates/request",
            fields: &fields,
            body: self.body.as_bytes(),
            peer: None,
        };
        let Some(now) = Timestamp::from_unix(NOW.cast_signed()) else {
            return false;
        };
        server
            .handle(
                &request,
                &Moment {
                    now,
                    entropy: self.entropy,
                },
            )
            .await
            .status
            == 200
    }
}

fn signed_request(device: &DeviceId, scalar: u8, turn: usize) -> Outcome<Prepared> {
    let mut buffer = [0; csr::MAX_PEM_LEN];
    let body = csr_of(device, scalar, &mut buffer)?.to_owned();
    let mut key = providore_sign::SoftwareKey::new(b"a secret")?;
    let request = RequestToSign {
        device,
        method: Method::Post,
        path: "/certificates/request",
        version: &"1.0.0".parse()?,
        body: body.as_bytes(),
    };
    let now = Timestamp::from_unix(NOW.cast_signed()).ok_or("time")?;
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = sign_request(&mut key, &request, now, 900, &mut memory)?;
    let mut entropy = [scalar; Moment::ENTROPY_LEN];
    for (slot, byte) in entropy.iter_mut().zip(device.as_str().bytes().rev()) {
        *slot = byte;
    }
    entropy[15] = u8::try_from(turn)?;
    let fields = headers
        .fields()
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    Ok(Prepared {
        fields,
        body,
        entropy,
    })
}

fn csr_of<'b>(device: &DeviceId, scalar: u8, buffer: &'b mut [u8]) -> Outcome<&'b str> {
    let mut key = SoftwareKey::from_scalar(&[scalar; 32])?;
    Ok(csr::write_pem(&mut key, device, buffer)?)
}

fn authority() -> Outcome<LocalCa> {
    let entropy = std::array::from_fn(|index| (index % 251) as u8);
    Ok(LocalCa::create(&entropy, &CaSettings::new("Bench")?, NOW)?.into_ca())
}

fn start() -> Outcome<Start> {
    Ok(Start {
        at: Timestamp::from_unix(NOW.cast_signed()).ok_or("time")?,
        stranger: [9; 32],
        challenges: [9; 32],
    })
}
