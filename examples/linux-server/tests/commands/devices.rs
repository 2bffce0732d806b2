//! `device`: from add to remove.

use std::{fs, io::Write as _, process::Stdio};

use serde_json::json;

use super::program::{Place, Said, files_below, mode};

#[test]
fn a_device_lives_from_add_to_remove() {
    let place = Place::new();
    place.ok(&["device", "add", "lamp"]);
    assert!(place.ok(&["device", "list"]).contains("lamp"));
    assert!(place.ok(&["device", "show", "lamp"]).contains("enabled"));

    place.ok(&["device", "disable", "lamp"]);
    assert_eq!(place.json(&["device", "show", "lamp"])["enabled"], false);
    place.ok(&["device", "enable", "lamp"]);
    assert_eq!(place.json(&["device", "show", "lamp"])["enabled"], true);

    place.ok(&["device", "remove", "lamp", "--yes"]);
    place.fails(&["device", "show", "lamp"], 1, "no device lamp");
    assert_eq!(place.json(&["device", "list"]), json!([]));
}

#[test]
fn add_hands_over_the_secret_this_once() {
    let place = Place::new();
    let told = place.ok(&["device", "add", "lamp"]);
    let entry = place.devices_json()["lamp"]["secretKey"].clone();
    let secret = entry.as_str().unwrap();
    assert_eq!(secret.len(), 43, "256 bits as base64url");
    assert!(told.contains(&format!("secret  {secret}\n")), "{told}");
    let table = [
        "key,type,encoding,value",
        "providore,namespace,,",
        "device_id,data,string,lamp",
        &format!("psk,data,string,{secret}\n"),
    ];
    let table = table.join("\n");
    assert!(told.contains(&table), "{told}");
    assert!(!told.contains('█'), "a QR code, to a pipe");
    for args in [
        &["device", "list"][..],
        &["device", "list", "--json"],
        &["device", "show", "lamp"],
        &["device", "show", "lamp", "--json"],
        &["device", "add", "lamp"],
        &["device", "dialect", "lamp"],
        &["device", "rotate-secret", "lamp"],
        &["device", "rotate-secret", "lamp", "--cancel"],
        &["device", "disable", "lamp"],
    ] {
        let said = place.run(args);
        assert!(
            !format!("{}{}", said.out, said.err).contains(secret),
            "{args:?}"
        );
    }
}

#[test]
fn add_says_exactly_id_and_secret_in_json() {
    let place = Place::new();
    let answer = place.json(&["device", "add", "lamp", "--qr"]);
    let secret = place.devices_json()["lamp"]["secretKey"].clone();
    assert_eq!(answer, json!({"id": "lamp", "secret": secret}));
}

#[test]
fn a_qr_code_is_drawn_when_asked() {
    let told = Place::new().ok(&["device", "add", "lamp", "--qr"]);
    assert!(told.contains('█') && !told.contains('\x1b'), "{told}");
}

#[test]
fn files_with_secrets_are_for_their_owner_only() {
    let place = Place::new();
    let config = place.write("lamp.json", r#"{"wifi": "secret"}"#);
    let config = config.to_str().unwrap();
    place.ok(&[
        "device",
        "add",
        "lamp",
        "--config",
        config,
        "--nvs",
        "lamp.nvs.csv",
    ]);
    for path in [
        place.data("configStore/devices.json"),
        place.data("configStore/lamp/config.json"),
        place.data("certificateStore/issued.jsonl"),
        place.path("lamp.nvs.csv"),
    ] {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn an_nvs_table_never_replaces_another() {
    let place = Place::new();
    let told = place.ok(&["device", "add", "one", "--nvs", "nvs.csv"]);
    assert!(!told.contains("psk,"), "{told}");
    let table = fs::read(place.path("nvs.csv")).unwrap();
    place.fails(
        &["device", "add", "two", "--nvs", "nvs.csv"],
        1,
        "is there already",
    );
    assert_eq!(fs::read(place.path("nvs.csv")).unwrap(), table);
    assert!(place.devices_json().get("two").is_none());
}

#[test]
fn an_existing_secret_is_taken_over() {
    let place = Place::new();
    let answer = place.json(&["device", "add", "one", "--secret", "0123456789abcdef"]);
    assert_eq!(answer["secret"], "0123456789abcdef");

    let mut child = place
        .command(&["device", "add", "two", "--secret", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"from a pipe, \"so\"\r\n")
        .unwrap();
    let said = Said::from(child.wait_with_output().unwrap());
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(
        place.devices_json()["two"]["secretKey"],
        "from a pipe, \"so\""
    );

    let told = place.ok(&["device", "add", "three", "--secret", "a,\"b\" 0123456789"]);
    assert!(
        told.contains("psk,data,string,\"a,\"\"b\"\" 0123456789\"\n"),
        "{told}"
    );
    assert!(place.devices_json().get("four").is_none());
}

#[test]
fn a_secret_has_the_length_that_its_dialect_takes() {
    let place = Place::new();
    let add = |secret: &str, dialect: &str| {
        let id = format!("d{}-{dialect}", secret.len());
        place.run(&[
            "device",
            "add",
            &id,
            "--secret",
            secret,
            "--dialect",
            dialect,
        ])
    };
    let check = |length: usize, dialect: &str, code: i32, said: &str| {
        let outcome = add(&"x".repeat(length), dialect);
        assert_eq!(outcome.code, Some(code), "{length} {}", outcome.err);
        assert!(outcome.err.contains(said), "{length} {}", outcome.err);
    };
    for (length, code, said) in [
        (0, 1, "1 to 256 bytes"),
        (15, 1, "16 to 64"),
        (16, 0, ""),
        (64, 0, ""),
        (65, 1, "leave --secret out"),
    ] {
        check(length, "signed", code, said);
    }
    for (length, code, said) in [
        (0, 1, "1 to 256 bytes"),
        (1, 0, "warning"),
        (256, 0, ""),
        (257, 1, "1 to 256 bytes"),
    ] {
        check(length, "original", code, said);
    }
    assert_eq!(place.devices_json().as_object().unwrap().len(), 4);
}

#[test]
fn what_add_is_told_is_what_show_shows() {
    let place = Place::new();
    place.write("c.json", "{}");
    place.ok(&[
        "device",
        "add",
        "gate",
        "--type",
        "esp32",
        "--version",
        "1.0.0",
        "--config",
        "c.json",
        "--profile",
        "server",
        "--days",
        "30",
        "--name",
        "gate.lan",
        "--name",
        "192.168.7.2",
    ]);
    let shown = place.json(&["device", "show", "gate"]);
    assert_eq!(shown["profile"], "server");
    assert_eq!(shown["days"], 30);
    assert_eq!(shown["names"], json!(["gate.lan", "192.168.7.2"]));
    assert_eq!(shown["releases"][0]["type"], "esp32");
    assert_eq!(shown["releases"][0]["version"], "1.0.0");
    assert_eq!(shown["releases"][0]["has_config"], true);
    let listed = place.json(&["device", "list"]);
    assert_eq!(listed[0]["version"], "1.0.0");
}

#[test]
fn a_second_device_of_the_same_name_is_refused() {
    let place = Place::new();
    place.ok(&["device", "add", "lamp"]);
    let before = files_below(&place.path("data"));
    place.write("c.json", "{}");
    place.fails(
        &["device", "add", "lamp", "--config", "c.json"],
        1,
        "rotate-secret lamp",
    );
    assert_eq!(files_below(&place.path("data")), before);
}

#[test]
fn path_tricks_in_names_write_nothing() {
    let place = Place::new();
    for id in [
        "../x", "a/b", "..", ".", "/etc/x", "a\\b", "a..b", ".hidden", "", "a\nb", "ä",
    ] {
        place.fails(&["device", "add", "--", id], 2, "invalid value");
        place.fails(&["device", "remove", "--yes", "--", id], 2, "invalid value");
    }
    for id in ["devices.json", "Devices.JSON", "devices.json.lock"] {
        place.fails(&["device", "add", id], 1, "choose another name");
    }
    assert!(!place.path("data").exists());
}

#[test]
fn a_configuration_must_be_json_and_is_replaced_as_a_whole() {
    let place = Place::new();
    place.ok(&["device", "add", "lamp"]);
    place.write("good.json", r#"{"a": 1}"#);
    place.write("bad.json", "{");
    place.ok(&["device", "config", "lamp", "good.json"]);
    let path = place.data("configStore/lamp/config.json");
    assert_eq!(fs::read_to_string(&path).unwrap(), r#"{"a": 1}"#);
    place.fails(
        &["device", "config", "lamp", "bad.json"],
        1,
        "one JSON value",
    );
    place.fails(
        &["device", "add", "other", "--config", "bad.json"],
        1,
        "one JSON value",
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), r#"{"a": 1}"#);
    assert!(place.devices_json().get("other").is_none());
    place.fails(
        &["device", "config", "nobody", "good.json"],
        1,
        "no device nobody",
    );
}

#[test]
fn remove_asks_and_takes_the_configurations_with_it() {
    let place = Place::new();
    place.write("c.json", "{}");
    place.ok(&["device", "add", "lamp", "--config", "c.json"]);
    place.ok(&["device", "add", "kept", "--config", "c.json"]);
    place.fails(&["device", "remove", "lamp"], 1, "--yes");
    assert!(place.devices_json().get("lamp").is_some());
    place.ok(&["device", "remove", "lamp", "--yes"]);
    assert!(!place.data("configStore/lamp").exists());
    place.ok(&["device", "remove", "kept", "--yes", "--keep-files"]);
    assert!(place.data("configStore/kept/config.json").exists());
}

#[test]
fn a_linked_folder_is_not_followed_when_a_device_goes() {
    let place = Place::new();
    place.write("elsewhere/precious", "x");
    place.ok(&["device", "add", "lamp"]);
    std::os::unix::fs::symlink(place.path("elsewhere"), place.data("configStore/lamp")).unwrap();
    place.ok(&["device", "remove", "lamp", "--yes"]);
    assert!(place.path("elsewhere/precious").exists());
}

#[test]
fn a_broken_devices_file_is_named_and_left_as_it_is() {
    let check = |content: &str, what: &str| {
        let place = Place::new();
        place.write("data/configStore/devices.json", content);
        let before = files_below(&place.path("data"));
        for args in [
            &["device", "add", "lamp"][..],
            &["device", "list"],
            &["device", "disable", "old"],
            &["device", "remove", "old", "--yes"],
        ] {
            let message = place.fails(args, 1, what);
            assert!(!message.contains("hunter2"), "{message}");
            let mut after = files_below(&place.path("data"));
            after
                .retain(|(name, bytes)| !bytes.is_empty() || before.iter().any(|(b, _)| b == name));
            assert_eq!(after, before, "{args:?}");
        }
    };
    check(r#"{"old": "hunter2","#, "not JSON");
    check(r#"["hunter2"]"#, "not a JSON object");
    check(
        r#"{"old": {"secretKey": "hunter2", "certificate": {"days": 0}}}"#,
        "\"old\"",
    );
    check(
        r#"{"old": {"secretKey": "hunter2", "firmware": [{"type": "../x", "version": "1"}]}}"#,
        "\"old\"",
    );
    check(r#"{"old": {"secretKey": ""}}"#, "secret is empty");
}

#[test]
fn a_list_may_be_cut_short_by_its_reader() {
    let place = Place::new();
    place.ok(&["device", "add", "lamp"]);
    let mut child = place
        .command(&["device", "list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let said = Said::from(child.wait_with_output().unwrap());
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
}

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::new();
    for args in [
        &["device", "add"][..],
        &["device", "list"],
        &["device", "show"],
        &["device", "disable"],
        &["device", "enable"],
        &["device", "dialect"],
        &["device", "rotate-secret"],
        &["device", "remove"],
        &["device", "config"],
        &["firmware", "add"],
        &["firmware", "list"],
        &["cert", "list"],
        &["cert", "revoke"],
        &["import"],
    ] {
        let args: Vec<&str> = args.iter().copied().chain(["--help"]).collect();
        let help = place.ok(&args);
        let example = format!("providore-server {}", args[..args.len() - 1].join(" "));
        let after = help.split("Example").nth(1).unwrap_or_default();
        assert!(after.contains(&example), "{args:?}: {help}");
    }
}

#[test]
fn nothing_is_made_where_nothing_is() {
    let place = Place::new();
    for args in [
        &["device", "list"][..],
        &["device", "show", "x"],
        &["device", "dialect", "x", "signed"],
        &["device", "rotate-secret", "x"],
        &["device", "remove", "x", "--yes"],
        &["firmware", "list"],
        &["cert", "list"],
    ] {
        place.fails(args, 1, "--data DIR");
    }
    assert!(!place.path("data").exists());
}

#[test]
fn a_configuration_over_the_limit_is_refused_with_the_number() {
    let place = Place::new();
    place.ok(&["device", "add", "lamp"]);
    let most = 1_048_576;
    let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    let long = place.write("long.json", text(most + 1));
    let long = long.to_str().unwrap();
    let told = "a configuration has at most 1048576 bytes";
    place.fails(&["device", "config", "lamp", long], 1, told);
    place.fails(&["device", "add", "other", "--config", long], 1, told);
    assert!(place.devices_json()["other"].is_null());
    let right = place.write("right.json", text(most));
    place.ok(&["device", "config", "lamp", right.to_str().unwrap()]);
}
