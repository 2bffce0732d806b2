//! What several test programs share.

use std::{fs, path::PathBuf, process::Command};

use providore_pki::{
    CertificateAuthority, IssuedCertificate, LocalCa, Profile, SerialNumber, SoftwareKey, Validity,
    VerifiedCsr,
    ca::{CaSettings, CertificateTerms, NewCa},
    csr,
};
use providore_wire::DeviceId;

pub(crate) const NOW: u64 = 1_767_323_045;
pub(crate) const DAY: u64 = 86_400;

pub(crate) fn device() -> DeviceId {
    "abc123".parse().unwrap()
}

pub(crate) fn key(seed: u8) -> SoftwareKey {
    SoftwareKey::from_scalar(&[seed; 32]).unwrap()
}

/// A CA that is the same for the same seed.
pub(crate) fn new_ca(seed: u8) -> NewCa {
    let entropy = core::array::from_fn(|index| seed.wrapping_add(u8::try_from(index).unwrap()));
    LocalCa::create(&entropy, &CaSettings::new("Test").unwrap(), NOW).unwrap()
}

pub(crate) fn request(seed: u8) -> VerifiedCsr {
    let mut buffer = [0; csr::MAX_DER_LEN];
    let der = csr::write_der(&mut key(seed), &device(), &mut buffer).unwrap();
    VerifiedCsr::check(der, &device()).unwrap()
}

pub(crate) fn stored(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
    fs::read(format!("{folder}/{name}.pem")).unwrap()
}

/// Ninety days from [`NOW`].
pub(crate) fn terms(profile: Profile, serial: u8) -> CertificateTerms {
    let serial = SerialNumber::from_entropy(&[serial; 16]).unwrap();
    CertificateTerms::new(
        profile,
        serial,
        Validity::starting_at(NOW, 90 * DAY).unwrap(),
    )
}

pub(crate) fn issue(ca: &LocalCa, profile: Profile) -> IssuedCertificate {
    ca.issue(&request(7), &terms(profile, 0xa5)).unwrap()
}

/// A folder of its own for one test, in which `openssl` runs.
pub(crate) struct OpenSsl(PathBuf);

impl OpenSsl {
    pub(crate) fn new(test: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        fs::write(self.0.join(name), content).unwrap();
        self
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// Whether it exits with 0, and everything it prints; arguments are separated by blanks.
    pub(crate) fn run(&self, arguments: &str) -> (bool, String) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(&self.0)
            .output()
            .expect("the tests need the program openssl");
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    pub(crate) fn must(&self, arguments: &str) -> String {
        let (success, text) = self.run(arguments);
        assert!(success, "openssl {arguments}\n{text}");
        text
    }
}
