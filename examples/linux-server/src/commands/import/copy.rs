//! Copies of files, each in place as a whole; what is here and differs stays.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::commands::files::{self, Staged, Sum};

/// How deep folders may lie in one another: TYPE/VERSION/FILE, and a file name with two folders.
const MAX_DEPTH: usize = 5;

/// What was copied and what was not.
pub(super) struct Copied {
    force: bool,
    dry_run: bool,
    /// Files that were copied.
    pub(super) files: usize,
    /// Files that were here already.
    pub(super) same: usize,
    /// What was left out, and what to do about it.
    pub(super) left: Vec<String>,
}

impl Copied {
    /// Nothing yet.
    pub(super) fn new(force: bool, dry_run: bool) -> Self {
        let left = Vec::new();
        Self {
            force,
            dry_run,
            files: 0,
            same: 0,
            left,
        }
    }

    /// Copies a folder with all plain files in it, to a place below `store`; nothing if there is
    /// none.
    pub(super) fn tree(&mut self, from: &Path, to: &Path, store: &Path) {
        let Ok(root) = from.canonicalize() else {
            return;
        };
        let way = Way { root: &root, store };
        self.folder(way, from, to, MAX_DEPTH);
    }

    fn folder(&mut self, way: Way<'_>, from: &Path, to: &Path, depth: usize) {
        let paths = match files::listing(from) {
            Ok(paths) => paths,
            Err(error) => return self.leave(from, &error),
        };
        for path in paths {
            let name = files::name_of(&path);
            if files::plain_name(name).is_none() {
                // Nothing that a record could name: an editor's or a file manager's.
                continue;
            }
            let place = to.join(name);
            match (within(way.root, &path), depth.checked_sub(1)) {
                (Ok(true), Some(depth)) if path.is_dir() => {
                    self.folder(way, &path, &place, depth);
                }
                (Ok(true), Some(_)) => self.file(&path, &place, way.store),
                (Ok(true), None) => self.left.push(format!("{}: too deep", path.display())),
                (Ok(false), _) => self.left.push(format!(
                    "{}: a link that leads out of the folder: copy what it means by hand",
                    path.display()
                )),
                (Err(error), _) => self.leave(&path, &error),
            }
        }
    }

    /// Copies one file, to a place below `store`.
    pub(super) fn file(&mut self, from: &Path, to: &Path, store: &Path) {
        match self.try_file(from, to, store) {
            Ok(Fate::Copied) => self.files = self.files.saturating_add(1),
            Ok(Fate::Same) => self.same = self.same.saturating_add(1),
            Ok(Fate::Conflict) => self.left.push(format!(
                "{}: {} is here and differs: compare them; --force overwrites it",
                from.display(),
                to.display()
            )),
            Err(error) => self.leave(from, &error),
        }
    }

    fn try_file(&self, from: &Path, to: &Path, store: &Path) -> io::Result<Fate> {
        let present = to.try_exists()?;
        if present && Sum::of(from)? == Sum::of(to)? {
            return Ok(Fate::Same);
        }
        if present && !self.force {
            return Ok(Fate::Conflict);
        }
        if self.dry_run {
            return Ok(Fate::Copied);
        }
        // Not in the folder where it is to lie: a release without a file name means the only file
        // there, and an unfinished copy that a crash leaves behind would be a second one.
        let staged = Staged::copy(from, store, |_: &[u8]| ())?;
        match if present {
            staged.replace(to)
        } else {
            staged.place(to)
        } {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Fate::Conflict),
            outcome => outcome.map(|()| Fate::Copied),
        }
    }

    fn leave(&mut self, path: &Path, error: &io::Error) {
        self.left.push(format!("{}: {error}", path.display()));
    }
}

/// From where and to where.
#[derive(Clone, Copy)]
struct Way<'a> {
    /// The folder that is copied, links resolved.
    root: &'a Path,
    /// The folder of ours that it goes into.
    store: &'a Path,
}

enum Fate {
    Copied,
    Same,
    Conflict,
}

/// Whether a path, links resolved, is below the folder that is copied.
fn within(root: &Path, path: &Path) -> io::Result<bool> {
    let path: PathBuf = fs::canonicalize(path)?;
    Ok(path.starts_with(root))
}
