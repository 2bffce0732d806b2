//! The Python packages, behind a script that speaks JSON.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use base16ct::lower::{decode_vec, encode_string};
use providore_testkit::RequestMessage;
use serde_json::{Value, json};

use crate::{Message, Peer, Wanted};

/// A running `python/peers.py`.
#[derive(Debug)]
pub struct Python {
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// Names another interpreter than that of the virtual environment in the target folder.
const INTERPRETER: &str = "PROVIDORE_PEERS_PYTHON";

const MISSING: &str = "the Python peers are not installed; in the root of the repository:\n\
    \n    python3 -m venv target/peers-venv\
    \n    target/peers-venv/bin/pip install --require-hashes -r crates/providore-peers/python/requirements.txt\n\
    \nor name an interpreter that has them in PROVIDORE_PEERS_PYTHON";

impl Python {
    /// Starts the script.
    ///
    /// # Panics
    /// Without the virtual environment; the message has the command that makes it.
    #[must_use]
    pub fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/peers.py");
        let process = Command::new(interpreter())
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut process = process.expect(MISSING);
        let questions = process.stdin.take();
        let answers = process.stdout.take().expect("its output is piped");
        Self {
            process,
            questions,
            answers: BufReader::new(answers),
        }
    }

    /// Encrypts with `http_ece`.
    ///
    /// # Panics
    /// If it refuses to.
    pub fn encrypt(
        &mut self,
        (key, key_id): (&[u8], &str),
        salt: &[u8; 16],
        record_size: usize,
        content: &[u8],
    ) -> Vec<u8> {
        let coded = self.ask(&json!({
            "ask": "encrypt",
            "key": encode_string(key),
            "key_id": key_id,
            "salt": encode_string(salt),
            "record_size": record_size,
            "content": encode_string(content),
        }));
        bytes(&coded.expect("http_ece encrypts"))
    }

    /// Decrypts with `http_ece`.
    ///
    /// # Errors
    /// Why it refuses.
    pub fn decrypt(&mut self, key: &[u8], content: &[u8]) -> Result<Vec<u8>, String> {
        let plain = self.ask(&json!({
            "ask": "decrypt",
            "key": encode_string(key),
            "content": encode_string(content),
        }));
        plain.map(|plain| bytes(&plain))
    }

    /// The signature that `http-message-signatures` makes in place of the one with this tag.
    ///
    /// # Panics
    /// If it cannot read the message.
    pub fn signature(&mut self, message: &Message<'_>, key: &[u8], tag: &str) -> Vec<u8> {
        let signature = self.ask(&json!({
            "ask": "signature",
            "message": written(message),
            "key": encode_string(key),
            "tag": tag,
        }));
        bytes(&signature.expect("http-message-signatures reads it"))
    }

    /// Reads and verifies a `COSE_Sign1` with `cbor2` and `cryptography`: its tag, its protected and
    /// unprotected header and its payload, as pairs; byte strings are `{"bytes": hexadecimal}`.
    ///
    /// # Errors
    /// Why it refuses: the signature, or a form that is not deterministic.
    pub fn cose_verify(&mut self, public: &[u8], signed: &[u8]) -> Result<Value, String> {
        self.ask(&json!({
            "ask": "cose_verify",
            "public": encode_string(public),
            "signed": encode_string(signed),
        }))
    }

    /// Signs a `COSE_Sign1` of these pairs with `cbor2` and `cryptography`.
    ///
    /// # Panics
    /// If it refuses to.
    pub fn cose_sign(&mut self, scalar: &[u8; 32], header: &Value, members: &Value) -> Vec<u8> {
        let signed = self.ask(&json!({
            "ask": "cose_sign",
            "scalar": encode_string(scalar),
            "header": header,
            "members": members,
        }));
        bytes(&signed.expect("cryptography signs"))
    }

    fn ask(&mut self, question: &Value) -> Result<Value, String> {
        let ended = "peers.py has ended; what it said is above. If it did not find a package:";
        let questions = self.questions.as_mut().expect("it runs");
        let sent = writeln!(questions, "{question}");
        let mut answer = String::new();
        let received = self.answers.read_line(&mut answer);
        let alive = sent.is_ok() && received.is_ok() && !answer.is_empty();
        assert!(alive, "{ended} {MISSING}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        match answer.get("refused") {
            Some(refused) => Err(refused.as_str().expect("a reason").into()),
            None => Ok(answer["is"].clone()),
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.questions.take());
        let _ = self.process.wait();
    }
}

impl Peer for Python {
    fn sign(
        &mut self,
        message: &Message<'_>,
        key: &[u8],
        wanted: &Wanted<'_>,
    ) -> Vec<(String, String)> {
        let fields = self.ask(&json!({
            "ask": "sign",
            "message": written(message),
            "key": encode_string(key),
            "key_id": wanted.key_id,
            "label": wanted.label,
            "components": wanted.components,
            "created": wanted.created,
            "expires": wanted.expires,
            "nonce": wanted.nonce,
            "tag": wanted.tag,
        }));
        let fields = fields.expect("http-message-signatures signs");
        serde_json::from_value(fields).expect("pairs of texts")
    }

    fn base(&mut self, message: &Message<'_>, tag: &str) -> String {
        let base = self.ask(&json!({
            "ask": "base",
            "message": written(message),
            "key": "",
            "tag": tag,
        }));
        let base = base.expect("http-message-signatures reads it");
        base.as_str().expect("a text").into()
    }

    fn verify(&mut self, message: &Message<'_>, key: &[u8], tag: &str) -> Result<(), String> {
        let labels = self.ask(&json!({
            "ask": "verify",
            "message": written(message),
            "key": encode_string(key),
            "tag": tag,
        }))?;
        match labels.as_array().map(Vec::len) {
            Some(1) => Ok(()),
            _ => Err(format!("not one signature with the tag {tag}")),
        }
    }
}

fn written(message: &Message<'_>) -> Value {
    match message {
        Message::Request(request) => written_request(request),
        Message::Response(response, request) => json!({
            "status": response.status,
            "fields": response.fields,
            "body": encode_string(&response.body),
            "request": written_request(request),
        }),
    }
}

fn written_request(request: &RequestMessage) -> Value {
    json!({
        "method": request.method,
        "target": request.target,
        "fields": request.fields,
        "body": encode_string(&request.body),
    })
}

fn bytes(value: &Value) -> Vec<u8> {
    decode_vec(value.as_str().expect("a text")).expect("hexadecimal digits")
}

fn interpreter() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no other settings than its environment"
    )]
    let named = std::env::var_os(INTERPRETER);
    let own = "../../target/peers-venv/bin/python";
    named.map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(own),
        PathBuf::from,
    )
}
