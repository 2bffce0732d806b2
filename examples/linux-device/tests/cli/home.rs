//! A machine to run the program on: a folder, a secret, a hook.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::server::{DEVICE, SECRET};

pub(crate) struct Home {
    folder: tempfile::TempDir,
    server: String,
    dialect: &'static str,
}

impl Home {
    /// For a server of the `Original` dialect.
    pub(crate) fn new(server: String) -> Self {
        Self::speaking("original", server)
    }

    pub(crate) fn speaking(dialect: &'static str, server: String) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            server,
            dialect,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.path(name)).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        let data = fs::metadata(self.path(name)).unwrap();
        data.permissions().mode() & 0o777
    }

    /// A hook that notes what it is told in `hook.log` and ends with `code`.
    pub(crate) fn hook(&self, code: u8) -> String {
        let log = self.path("hook.log");
        let script = format!(
            "#!/bin/sh\necho \"$1 $PROVIDORE_EVENT $PROVIDORE_PATH $PROVIDORE_VERSION \
             $PROVIDORE_SECRET\" >> {}\necho noise\nexit {code}\n",
            log.display()
        );
        let path = self.write("hook.sh", &script);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        format!("{path}  word")
    }

    /// The program with nothing set but `HOME`.
    pub(crate) fn bare(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_providore-device"));
        command.env_clear().env("HOME", self.folder.path());
        command
    }

    /// The program with server, id, secret and folders set.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare();
        command
            .env("PROVIDORE_SECRET", SECRET)
            .args(["--server", &self.server, "--device-id", DEVICE])
            .args(["--dialect", self.dialect])
            .arg("--state-dir")
            .arg(self.path("state"))
            .args(arguments);
        command
    }

    /// Runs the program; expects an exit code and that nothing printed holds the secret.
    pub(crate) fn check(&self, arguments: &[&str], code: i32) -> (String, String) {
        finish(&mut self.command(arguments), code)
    }
}

pub(crate) fn finish(command: &mut Command, code: i32) -> (String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let stdout = String::from_utf8(stdout).unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{stdout}{stderr}");
    assert!(
        !stdout.contains(SECRET) && !stderr.contains(SECRET),
        "{stdout}{stderr}"
    );
    (stdout, stderr)
}

pub(crate) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
