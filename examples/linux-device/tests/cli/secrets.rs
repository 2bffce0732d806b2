//! Secrets and settings as editors and shells write them.

use crate::{
    home::{Home, finish},
    server::{SECRET, honest},
};

fn with_file(home: &Home, content: &str) -> String {
    home.write("secret", content)
}

#[test]
fn what_editors_add_to_a_secret_file_does_not_count() {
    for written in [
        format!("\u{feff}{SECRET}\r\n"),
        format!("{SECRET}\r\n\r\n"),
        format!("{SECRET}\n\n"),
        format!("  {SECRET} \n"),
    ] {
        let home = Home::new(honest());
        let file = with_file(&home, &written);
        home.check(&["config", "--secret-file", &file], 0);
    }
}

#[test]
fn what_a_variable_adds_to_a_secret_does_not_count() {
    let home = Home::new(honest());
    let mut command = home.command(&["config"]);
    command.env("PROVIDORE_SECRET", format!("\u{feff}{SECRET}\r"));
    finish(&mut command, 0);
}

#[test]
fn a_secret_file_that_cannot_be_meant_is_2_before_anybody_is_asked() {
    for (written, told) in [
        (format!("\"{SECRET}\"\n"), "quotes around it (byte 0)"),
        (
            format!("{SECRET}\nmore\n"),
            "a line end inside it (byte 28)",
        ),
        (format!("{SECRET}\tmore\n"), "U+0009 in it (byte 28)"),
        (String::from("\r\n"), "it is empty"),
    ] {
        // Nobody listens there: asking would be 1.
        let home = Home::new(String::from("http://127.0.0.1:1"));
        let file = with_file(&home, &written);
        let (_, log) = home.check(&["config", "--secret-file", &file], 2);
        assert!(log.contains(told) && log.contains(&file), "{log}");
    }
}

#[test]
fn a_secret_that_signed_does_not_take_is_2_at_once() {
    for (secret, length) in [(String::from("abc"), 3), ("x".repeat(65), 65)] {
        let home = Home::speaking("signed", String::from("http://127.0.0.1:1"));
        let file = with_file(&home, &secret);
        let (_, log) = home.check(&["config", "--secret-file", &file], 2);
        let told = format!("the secret has {length} bytes; the dialect signed takes 16 to 64");
        assert!(log.contains(&told), "{log}");
    }
    // A first Providore takes any.
    let home = Home::new(String::from("http://127.0.0.1:1"));
    let file = with_file(&home, "abc");
    home.check(&["config", "--secret-file", &file], 1);
}

#[test]
fn a_settings_file_may_begin_with_a_byte_order_mark() {
    for (name, text) in [
        ("a.yaml", "\u{feff}hook: /bin/true\r\n"),
        ("a.json", "\u{feff}{\"hook\": \"/bin/true\"}\r\n"),
    ] {
        let home = Home::new(honest());
        let file = home.write(name, text);
        let (_, log) = home.check(&["config", "-c", &file], 0);
        assert!(!log.contains("unknown key"), "{log}");
    }
}
