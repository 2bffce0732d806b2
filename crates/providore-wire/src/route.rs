//! What can be asked of a server.

use crate::Dialect;

/// The routes of a provisioning server. Three of them are of the `Signed` dialect alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Route {
    /// `GET /config`: the configuration for the version that runs.
    Config,
    /// `GET /firmware`: an image, of the version named in the query or the newest.
    Firmware,
    /// `GET /firmware/check`: whether another version waits.
    FirmwareCheck,
    /// `GET /certificate`: the device's current certificate.
    Certificate,
    /// `POST /certificates/request`: a CSR in, a certificate out.
    CertificateRequest,
    /// `GET /time`: nothing but an authenticated time and a challenge (`Signed`).
    Time,
    /// `POST /report`: what became of an update or a configuration (`Signed`).
    Report,
    /// `GET /secret`: the secret that is to replace the device's own (`Signed`).
    Secret,
    /// `GET /certificates/crl.pem`: the revocation lists of the issuing CA and of those above it;
    /// needs no signature.
    CrlPem,
    /// `GET /certificates/crl.der`: that of the issuing CA in DER; needs no signature.
    CrlDer,
    /// `GET /certificates/root-crl.der`: that of the root in DER; needs no signature.
    RootCrlDer,
    /// `GET /certificates/ca.pem`: the certificates of the CA; needs no signature.
    CaPem,
}

impl Route {
    /// Every route.
    pub const ALL: [Self; 12] = [
        Self::Config,
        Self::Firmware,
        Self::FirmwareCheck,
        Self::Certificate,
        Self::CertificateRequest,
        Self::Time,
        Self::Report,
        Self::Secret,
        Self::CrlPem,
        Self::CrlDer,
        Self::RootCrlDer,
        Self::CaPem,
    ];

    /// The route of a path. Like the deployed servers, it ignores the case of ASCII letters and one
    /// trailing slash; the bytes that are signed stay as they were sent.
    ///
    /// ```
    /// use providore_wire::Route;
    ///
    /// assert_eq!(Route::of("/config/"), Some(Route::Config));
    /// assert_eq!(Route::of("/../config"), None);
    /// ```
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        Self::ALL
            .into_iter()
            .find(|route| route.path().eq_ignore_ascii_case(path))
    }

    /// The path as clients send it.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Config => "/config",
            Self::Firmware => "/firmware",
            Self::FirmwareCheck => "/firmware/check",
            Self::Certificate => "/certificate",
            Self::CertificateRequest => "/certificates/request",
            Self::Time => "/time",
            Self::Report => "/report",
            Self::Secret => "/secret",
            Self::CrlPem => "/certificates/crl.pem",
            Self::CrlDer => "/certificates/crl.der",
            Self::RootCrlDer => "/certificates/root-crl.der",
            Self::CaPem => "/certificates/ca.pem",
        }
    }

    /// The weakest dialect that has the route.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Time | Self::Report | Self::Secret => Dialect::Signed,
            _ => Dialect::Original,
        }
    }

    /// Whether anybody may ask: public keys and revocations are no secret, and who checks a
    /// certificate need not be a device.
    #[must_use]
    pub const fn is_public(self) -> bool {
        matches!(
            self,
            Self::CrlPem | Self::CrlDer | Self::RootCrlDer | Self::CaPem
        )
    }
}
