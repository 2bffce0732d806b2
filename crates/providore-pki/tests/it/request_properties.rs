//! Properties of writing and checking requests, for any input.

use proptest::{collection::vec, prelude::*};
use providore_pki::{
    Certificate, DeviceKey, KeyError, PublicKey, Signature, SoftwareKey, VerifiedCsr,
    crl::RevocationList, csr,
};
use providore_wire::DeviceId;

/// A secure element: the key is behind a session that can be lost.
struct Element<F>(F);

impl<F> core::fmt::Debug for Element<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Element")
    }
}

impl<F: FnMut() -> Result<SoftwareKey, KeyError>> DeviceKey for Element<F> {
    fn public_key(&mut self) -> Result<PublicKey, KeyError> {
        Ok((self.0)()?.public_key())
    }

    fn sign(&mut self, message: &[u8]) -> Result<Signature, KeyError> {
        (self.0)()?.sign(message)
    }
}

fn device() -> DeviceId {
    "abc123".parse().unwrap()
}

fn own_request() -> Vec<u8> {
    let mut key = SoftwareKey::from_scalar(&[7; 32]).unwrap();
    let mut buffer = [0; csr::MAX_DER_LEN];
    csr::write_der(&mut key, &device(), &mut buffer)
        .unwrap()
        .to_vec()
}

#[test]
fn a_lost_session_leaves_no_request() {
    for failing_call in 0..3 {
        let mut call = 0;
        let mut element = Element(|| {
            call += 1;
            if call - 1 == failing_call {
                return Err(KeyError::Unavailable);
            }
            SoftwareKey::from_scalar(&[7; 32])
        });
        let outcome =
            csr::write_der(&mut element, &device(), &mut [0; csr::MAX_DER_LEN]).map(<[u8]>::to_vec);
        let expected = match failing_call {
            0 | 1 => Err(csr::CsrWriteError::Key(KeyError::Unavailable)),
            _ => Ok(own_request()),
        };
        assert_eq!(outcome, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_device_writes_the_server_accepts(
        id in "[A-Za-z0-9_~:+@-]{1,64}",
        scalar in any::<[u8; 32]>(),
    ) {
        let device: DeviceId = id.parse().unwrap();
        let Ok(mut key) = SoftwareKey::from_scalar(&scalar) else { return Ok(()) };
        let mut der = [0; csr::MAX_DER_LEN];
        let der = csr::write_der(&mut key, &device, &mut der).unwrap();
        let mut pem = [0; csr::MAX_PEM_LEN];
        let pem = csr::write_pem(&mut key, &device, &mut pem).unwrap();

        let verified = VerifiedCsr::check(der, &device).unwrap();
        prop_assert_eq!(&verified, &VerifiedCsr::check(pem.as_bytes(), &device).unwrap());
        prop_assert_eq!(verified.device(), &device);
        prop_assert_eq!(verified.public_key_spki_der(), key.public_key().to_spki_der());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..400)) {
        let der = [&[0x30][..], &bytes].concat();
        for input in [&bytes, &der] {
            let _ = VerifiedCsr::check(input, &device());
            let _ = Certificate::from_der(input);
            let _ = RevocationList::from_der(input);
            let _ = Signature::from_der(input);
            let _ = PublicKey::from_sec1(input);
            let _ = SoftwareKey::from_pkcs8_der(input);
        }
    }

    #[test]
    fn no_text_panics(text in "-----BEGIN (NEW )?CERTIFICATE( REQUEST)?-----\r?\n[A-Za-z0-9+/= \r\n-]{0,200}(-----END CERTIFICATE( REQUEST)?-----)?\r?\n?") {
        let _ = VerifiedCsr::check(text.as_bytes(), &device());
        let _ = Certificate::from_pem(&text);
        let _ = RevocationList::from_pem(&text);
        let _ = SoftwareKey::from_pkcs8_pem(&text);
    }

    #[test]
    fn no_damaged_request_panics_or_passes(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let good = own_request();
        let mut bad = good.clone();
        for (index, byte) in changes {
            *index.get_mut(&mut bad) = byte;
        }
        let outcome = VerifiedCsr::check(&bad, &device());
        prop_assert_eq!(outcome.is_ok(), bad == good);
    }
}
