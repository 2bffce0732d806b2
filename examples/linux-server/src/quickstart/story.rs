//! How the steps are told: text for people, or one JSON object a line.

use std::{cell::Cell, fmt::Display, net::SocketAddr, path::Path};

use crate::commands::print;

/// Tells the steps on standard output.
pub(super) struct Story {
    json: bool,
    chapter: Cell<u32>,
}

impl Story {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            chapter: Cell::new(0),
        }
    }

    /// A new step.
    pub(super) fn chapter(&self, title: &str) {
        let number = self.chapter.get().saturating_add(1);
        self.chapter.set(number);
        if self.json {
            tell_json(&serde_json::json!({ "step": number, "title": title }));
        } else {
            tell(&format!("\n{number}  {title}\n"));
        }
    }

    /// Something that happened: what was asked, what came back, what is proved by it.
    pub(super) fn fact(&self, verb: &str, what: impl Display) {
        if self.json {
            let (step, what) = (self.chapter.get(), what.to_string());
            tell_json(&serde_json::json!({ "step": step, "fact": verb, "what": what }));
        } else {
            tell(&format!("   {verb:>8}  {what}\n"));
        }
    }

    /// Something that happened, in several lines as they are.
    pub(super) fn block(&self, verb: &str, lines: &str) {
        if self.json {
            return self.fact(verb, lines);
        }
        for (count, line) in lines.lines().enumerate() {
            self.fact(if count == 0 { verb } else { "" }, line);
        }
    }

    /// The last word.
    pub(super) fn done(&self) {
        if self.json {
            tell_json(&serde_json::json!({ "done": true }));
        } else {
            tell("\nDone: configured, certified and up to date.\n");
        }
    }

    /// What to do while it keeps serving.
    pub(super) fn epilogue(&self, data: &Path, address: SocketAddr) {
        if self.json {
            return;
        }
        let data = data.display();
        tell(&format!(
            "\nStill serving on http://{address}; Ctrl-C ends it. Meanwhile, try:\n\
             \n  curl http://{address}/certificates/ca.pem\
             \n  providore-server --data {data} device show {}\
             \n  providore-server --data {data} device add my-first-device\n\n",
            super::demo::DEVICE
        ));
    }
}

/// The story is told to whoever listens: without a reader, the server goes on.
fn tell(text: &str) {
    let _ = print::say(text);
}

fn tell_json(value: &serde_json::Value) {
    let _ = print::say_json(value);
}
