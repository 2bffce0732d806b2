//! What an import did, device by device.

use std::fmt;

use serde_json::{Value, json};

use super::{
    copy::Copied,
    devices::{Candidate, Candidates, Fate},
    source::Source,
};
use crate::ca::CHAIN;
use crate::data::DataFolder;

/// All that there is to say.
pub(super) struct Report<'a> {
    /// Where it came from.
    pub(super) source: &'a Source,
    /// Where it went.
    pub(super) folder: &'a DataFolder,
    /// The devices.
    pub(super) candidates: &'a Candidates,
    /// The files.
    pub(super) copied: &'a Copied,
    /// Whether nothing was done.
    pub(super) dry_run: bool,
}

impl Report<'_> {
    /// How many things were not imported.
    pub(super) fn left_out(&self) -> usize {
        let left =
            |candidate: &&Candidate| matches!(candidate.fate, Fate::Conflict | Fate::Refused(_));
        let devices = self.candidates.all.iter().filter(left).count();
        devices.saturating_add(self.copied.left.len())
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        let device = |candidate: &Candidate| {
            let mut problems = candidate.problems.clone();
            if let Fate::Refused(what) = &candidate.fate {
                problems.push(what.clone());
            }
            json!({"id": candidate.id, "fate": name(&candidate.fate), "problems": problems})
        };
        json!({
            "dry_run": self.dry_run,
            "devices": self.candidates.all.iter().map(device).collect::<Vec<_>>(),
            "files": {
                "copied": self.copied.files,
                "same": self.copied.same,
                "left_out": self.copied.left,
            },
        })
    }

    fn authority(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = self.folder.ca.path(CHAIN);
        writeln!(
            f,
            "\nThe CA of the original was not taken over. Certificates that it issued are handed \
             out until\na device asks for a new one; new ones come from this server's own CA. Give \
             its certificate,\n{} (made when the server first starts), to whoever checks\ndevice \
             certificates, beside the old one. Or go on with the old root:\n`providore-server ca \
             import --help` says how.",
            chain.display()
        )?;
        match &self.source.ca {
            Some(ca) => writeln!(
                f,
                "Certificates of the original are revoked where they were issued: {}",
                ca.display()
            ),
            None => Ok(()),
        }
    }
}

fn name(fate: &Fate) -> &'static str {
    match fate {
        Fate::Imported => "imported",
        Fate::Same => "same",
        Fate::Replaced => "replaced",
        Fate::Conflict => "conflict",
        Fate::Refused(_) => "refused",
    }
}

/// For people.
impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dry_run {
            writeln!(f, "Nothing is changed; this is what would be done.\n")?;
        }
        writeln!(f, "devices from {}", self.source.devices.display())?;
        for candidate in &self.candidates.all {
            writeln!(f, "  {:?}: {}", candidate.id, meaning(&candidate.fate))?;
            for problem in &candidate.problems {
                writeln!(f, "    {problem}")?;
            }
        }
        let (copied, same) = (self.copied.files, self.copied.same);
        writeln!(f, "files: {copied} copied, {same} here already")?;
        for left in &self.copied.left {
            writeln!(f, "  {left}")?;
        }
        self.authority(f)
    }
}

fn meaning(fate: &Fate) -> String {
    match fate {
        Fate::Imported => "imported".into(),
        Fate::Same => "here already".into(),
        Fate::Replaced => "imported over the record that was here".into(),
        Fate::Conflict => {
            "NOT imported: another record of that name is here; --force overwrites it".into()
        }
        Fate::Refused(what) => format!("NOT imported: {what}; mend its entry and import again"),
    }
}
