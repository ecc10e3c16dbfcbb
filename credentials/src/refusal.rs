//! Why a handshake failed, in a sentence with the remedy.

use std::{error::Error, io};

use rustls::{AlertDescription, CertificateError, Error as TlsError};

/// The sentence, when TLS is what failed somewhere below this error; `authorities` names the setting that says whom we trust.
pub fn refusal(error: &(dyn Error + 'static), authorities: &str) -> Option<String> {
    tls_error(error).map(|found| sentence(found, authorities))
}

fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a TlsError> {
    if let Some(found) = error.downcast_ref::<TlsError>() {
        return Some(found);
    }
    // An io::Error hides what it wraps from `source`.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match wrapped {
        Some(wrapped) => tls_error(wrapped),
        None => tls_error(error.source()?),
    }
}

fn sentence(error: &TlsError, authorities: &str) -> String {
    match error {
        TlsError::InvalidCertificate(refused) => of_certificate(refused, authorities),
        TlsError::NoCertificatesPresented => "the server shows no certificate: give it one".to_owned(),
        TlsError::AlertReceived(
            alert @ (AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied),
        ) => format!("the server refuses our certificate ({alert:?}): give one that it accepts, or renew it"),
        TlsError::AlertReceived(alert) => {
            format!("the server ends the handshake ({alert:?}): does it speak TLS 1.2 or newer?")
        }
        TlsError::InvalidMessage(_) => {
            "what answers does not speak TLS: are port and protocol right?".to_owned()
        }
        other => format!("the handshake fails: {other}"),
    }
}

fn of_certificate(refused: &CertificateError, authorities: &str) -> String {
    match refused {
        // A bad signature is one of another authority of the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "the server's certificate is of an authority that is not trusted: name that authority's file by {authorities}"
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired: renew it there".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: are both clocks right?".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "the server's certificate is not for {}, but for {}: connect by that name, or have it issued for this one",
            expected.to_str(),
            if presented.is_empty() { "no name at all".to_owned() } else { presented.join(", ") }
        ),
        CertificateError::NotValidForName => {
            "the server's certificate is for another name: connect by the one that it has".to_owned()
        }
        CertificateError::Revoked => "the server's certificate is revoked: renew it there".to_owned(),
        other => format!("the server's certificate cannot be accepted ({other}): renew it there"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(error: TlsError) -> String {
        refusal(&io::Error::new(io::ErrorKind::InvalidData, error), "the_key").unwrap()
    }

    #[test]
    fn each_reason_has_its_remedy() {
        let unknown = said(TlsError::InvalidCertificate(CertificateError::UnknownIssuer));
        assert!(unknown.contains("not trusted") && unknown.contains("the_key"), "{unknown}");
        let expired = said(TlsError::InvalidCertificate(CertificateError::Expired));
        assert!(expired.contains("has expired: renew it"), "{expired}");
        let name = said(TlsError::InvalidCertificate(CertificateError::NotValidForNameContext {
            expected: "db.example.org".try_into().unwrap(),
            presented: vec!["DnsName(\"localhost\")".to_owned()],
        }));
        assert!(name.contains("not for db.example.org, but for") && name.contains("localhost"), "{name}");
        let ours = said(TlsError::AlertReceived(AlertDescription::CertificateRequired));
        assert!(ours.contains("refuses our certificate"), "{ours}");
    }

    #[test]
    fn what_is_not_tls_is_left_to_others() {
        assert_eq!(refusal(&io::Error::from(io::ErrorKind::ConnectionRefused), "k"), None);
    }
}
