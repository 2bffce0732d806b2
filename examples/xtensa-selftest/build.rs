//! Makes constants of the vectors, and for Xtensa the two objects that rustc cannot make.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

const VECTORS: &str = "../../crates/providore-testkit/vectors";

fn main() {
    println!("cargo::rerun-if-changed={VECTORS}");
    println!("cargo::rerun-if-changed=xtensa");
    let out = PathBuf::from(env::var("OUT_DIR").unwrap());
    fs::write(out.join("signed.rs"), signed()).unwrap();
    fs::write(out.join("original.rs"), original()).unwrap();
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("xtensa") {
        assemble(&out);
    }
}

// ---- the `Signed` dialect ----------------------------------------------------------------------

/// One literal of `signed::Vector` for each folder.
fn signed() -> String {
    let folder = Path::new(VECTORS).join("signed").canonicalize().unwrap();
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    let mut text = String::from("&[\n");
    for folder in folders {
        signed_vector(&mut text, &folder);
    }
    text + "]\n"
}

fn signed_vector(text: &mut String, folder: &Path) {
    let about = fs::read_to_string(folder.join("vector.json")).unwrap();
    let about: Value = serde_json::from_str(&about).unwrap();
    let name = folder.file_name().unwrap().to_str().unwrap();
    let keys = &about["sub_keys"];
    let keys = ["request", "response", "content"].map(|purpose| hex(&keys[purpose]));
    let server = &about["server"];
    let mut challenges = String::new();
    for made in about["challenges"].as_array().into_iter().flatten() {
        let (made_text, issued) = (&made["text"], &made["issued"]);
        let random = hex(&made["random"]);
        write!(challenges, "({made_text}, {issued}, {random:?}),").unwrap();
    }
    let file = |file: &str| {
        let path = folder.join(file);
        let include = format!("Some(include_bytes!({path:?}))");
        if path.exists() {
            include
        } else {
            "None".into()
        }
    };
    write!(
        text,
        "Vector {{ name: {name:?}, device: {}, secret: &{:?}, sub_keys: {keys:?}, started: {}, \
         now: {}, challenge_key: {:?}, challenges: &[{challenges}], request: {}.unwrap(), \
         request_base: {}.unwrap(), request_refused: {}, response: {}, response_base: {}, \
         response_refused: {}, plain: {}, ciphertext: {} }},\n",
        about["device"],
        hex(&about["secret"]),
        server["started"],
        server["now"],
        hex(&server["challenge_key"]),
        file("request.http"),
        file("request-base.txt"),
        refused(&about["request"]),
        file("response.http"),
        file("response-base.txt"),
        refused(&about["response"]),
        file("plain.bin"),
        file("ciphertext.bin"),
    )
    .unwrap();
}

fn refused(message: &Value) -> String {
    match &message["refused"] {
        Value::Null => "None".into(),
        refused => format!("Some(({}, {}))", refused["check"], refused["reason"]),
    }
}

fn hex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap().as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

// ---- the `Original` dialect --------------------------------------------------------------------

/// The literals of `original::Request` and `original::Response`.
fn original() -> String {
    let text = fs::read_to_string(Path::new(VECTORS).join("providore-original.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let mut text = String::from("(&[\n");
    for request in all["requests"].as_array().unwrap() {
        let version = &request["firmware_version_header_b64"];
        write!(
            text,
            "Request {{ name: {:?}, method: {}, target: {}, key: &{:?}, version: &{:?}, \
             created: {}, expiry: {}, body: &{:?}, canonical: &{:?}, signature: {}, \
             authorization: {} }},\n",
            named(request),
            request["method"],
            request["target"],
            bytes(&request["key_b64"]),
            bytes(version),
            request["created_at"],
            request["expiry"],
            bytes(&request["body_b64"]),
            bytes(&request["canonical_b64"]),
            request["signature"],
            request["authorization"],
        )
        .unwrap();
    }
    text += "], &[\n";
    for response in all["responses"].as_array().unwrap() {
        let fields = response["headers"].as_object().unwrap();
        write!(
            text,
            "Response {{ name: {:?}, key: {}, payload: &{:?}, fields: &{:?}, canonical: &{:?}, \
             signature: {} }},\n",
            named(response),
            response["key"],
            bytes(&response["payload_b64"]),
            fields
                .iter()
                .map(|(n, v)| (n, v.as_str().unwrap()))
                .collect::<Vec<_>>(),
            bytes(&response["canonical_b64"]),
            response["signature"],
        )
        .unwrap();
    }
    text + "])\n"
}

fn named(vector: &Value) -> String {
    let (server, name) = (&vector["server"], &vector["name"]);
    format!("{}: {}", server.as_str().unwrap(), name.as_str().unwrap())
}

fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap_or_default()).unwrap()
}

// ---- objects -----------------------------------------------------------------------------------

fn assemble(out: &Path) {
    let llvm = env::var("XTENSA_LLVM").unwrap_or_else(|_| "-22".into());
    let object = |name: &str| out.join(name).to_str().unwrap().to_owned();
    let (start, u128) = (object("start.o"), object("u128.o"));
    run(Command::new(format!("llvm-mc{llvm}")).args([
        "--arch=xtensa",
        "-mattr=+windowed,+density,+exception,+rvector,+debug,+interrupt,+timers3",
        "-filetype=obj",
        "xtensa/start.S",
        "-o",
        &start,
    ]));
    run(Command::new(format!("llc{llvm}")).args([
        "-O1",
        "-mtriple=xtensa-none-elf",
        "--function-sections",
        "-filetype=obj",
        "xtensa/u128.ll",
        "-o",
        &u128,
    ]));
    for argument in [&start, &u128, "-Txtensa/link.x"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}

fn run(command: &mut Command) {
    let status = command.status();
    assert!(
        status.as_ref().is_ok_and(std::process::ExitStatus::success),
        "{command:?}: {status:?}"
    );
}
