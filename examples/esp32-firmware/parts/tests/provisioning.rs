//! What a device is told, and what it does not believe.

use esp32_parts::provisioning::{Authors, Fault, Provisioning, Secret};

const KEY: [u8; 65] = [4; 65];

fn example(secret: Secret<'_>) -> Provisioning<'_> {
    let mut authors = Authors::default();
    assert!(authors.push(&KEY) && authors.push(&KEY));
    Provisioning {
        id: "kitchen-lamp".parse().unwrap(),
        secret,
        hardware: "esp32-s2".parse().unwrap(),
        wifi_name: "kitchen",
        wifi_password: "correct horse",
        authors,
        server: Some("http://192.0.2.1:3000"),
        authority: Some([7; 32]),
    }
}

fn written(provisioning: &Provisioning<'_>) -> Vec<u8> {
    let mut buffer = [0xff; Provisioning::MAX_LEN];
    let length = provisioning.write(&mut buffer).unwrap();
    assert!(length < buffer.len());
    buffer.to_vec()
}

#[test]
fn what_is_written_is_read() {
    for secret in [Secret::Stored(b"an example of a secret"), Secret::Fuses(5)] {
        let bytes = written(&example(secret));
        let found = Provisioning::parse(&bytes).unwrap();
        assert_eq!(found.id.as_str(), "kitchen-lamp");
        assert_eq!(found.secret, secret);
        assert_eq!(found.hardware.as_str(), "esp32-s2");
        assert_eq!(
            (found.wifi_name, found.wifi_password),
            ("kitchen", "correct horse")
        );
        assert!(found.authors.iter().eq([&KEY[..], &KEY]));
        assert_eq!(found.server, Some("http://192.0.2.1:3000"));
        assert_eq!(found.authority, Some([7; 32]));
    }
}

#[test]
fn secrets_and_passwords_are_not_printed() {
    let shown = format!("{:?}", example(Secret::Stored(b"an example of a secret")));
    assert!(
        !shown.contains("example") && !shown.contains("horse"),
        "{shown}"
    );
}

#[test]
fn another_bit_anywhere_is_noticed() {
    let provisioning = example(Secret::Fuses(0));
    let mut buffer = [0xff; Provisioning::MAX_LEN];
    let length = provisioning.write(&mut buffer).unwrap();
    for at in 0..length {
        for bit in 0..8 {
            let mut bytes = buffer;
            bytes[at] ^= 1 << bit;
            assert!(Provisioning::parse(&bytes).is_err(), "byte {at}, bit {bit}");
        }
        assert!(Provisioning::parse(&buffer[..at]).is_err(), "{at} bytes");
    }
}

#[test]
fn an_erased_partition_is_not_a_damaged_one() {
    assert_eq!(
        Provisioning::parse(&[0xff; 1024]).unwrap_err(),
        Fault::Empty
    );
    assert_eq!(Provisioning::parse(b"").unwrap_err(), Fault::Empty);
    let mut bytes = written(&example(Secret::Fuses(0)));
    bytes[8] = 2;
    assert_eq!(Provisioning::parse(&bytes).unwrap_err(), Fault::Format);
}

#[test]
fn what_would_not_be_read_is_not_written() {
    let check = |change: fn(&mut Provisioning<'_>), fault| {
        let mut provisioning = example(Secret::Fuses(0));
        change(&mut provisioning);
        assert_eq!(provisioning.write(&mut [0; 1024]), Err(fault));
    };
    check(|p| p.secret = Secret::Fuses(6), Fault::Field(3));
    check(|p| p.secret = Secret::Stored(b"too short"), Fault::Field(2));
    check(|p| p.wifi_name = "", Fault::Field(5));
    check(|p| p.wifi_password = "short", Fault::Field(6));
    let full = example(Secret::Fuses(0)).write(&mut [0; 100]);
    assert_eq!(full, Err(Fault::TooLong));
}

#[test]
fn there_are_at_most_four_authors() {
    let mut authors = Authors::default();
    assert!(!authors.push(&KEY[1..]));
    for _ in 0..Authors::MAX {
        assert!(authors.push(&KEY));
    }
    assert!(!authors.push(&KEY));
}
