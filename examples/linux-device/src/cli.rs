//! The command line: what the Go client had, and more.

use core::net::Ipv4Addr;
use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use providore_pki::manifest::ChunkSize;
use providore_wire::{Dialect, FirmwareVersion, HardwareType};

/// Keeps this machine's configuration, firmware and certificate current.
///
/// Without a command it does what the first Providore's client did: it gets a certificate, if one
/// is due. Settings come from a YAML file; flags override it.
#[derive(Parser)]
#[command(
    name = "providore-device",
    version,
    disable_version_flag = true,
    args_override_self = true,
    after_help = EXAMPLE,
    after_long_help = LONG_HELP
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) options: Options,

    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,
}

impl Cli {
    /// Parses the command line. The settings are in the help of the program alone: each command has all
    /// of them, and would show little else.
    pub(crate) fn read() -> Self {
        let mut command = Self::command();
        // Only now the commands have the settings.
        command.build();
        let command = command.mut_subcommands(without_settings);
        let parsed = Self::from_arg_matches(&command.get_matches());
        parsed.unwrap_or_else(|error| error.exit())
    }
}

fn without_settings(command: clap::Command) -> clap::Command {
    let pointer = "Settings: `providore-device --help` lists those that every command takes.";
    let help = command.get_after_help().map(ToString::to_string);
    let help = help.map_or_else(String::new, |help| format!("{help}\n\n"));
    command
        .mut_args(|arg| {
            if arg.is_global_set() {
                arg.hide(true)
            } else {
                arg
            }
        })
        .mut_subcommands(without_settings)
        .after_help(format!("{help}{pointer}"))
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Get a certificate, if there is none or its time has come (what happens without a command)
    #[command(
        after_help = "Example:\n  providore-device certificate --cert-path /etc/app/cert.pem\n  \
                      providore-device certificate --renew"
    )]
    Certificate {
        /// Get a new one, whatever the stored one is like
        #[arg(long)]
        renew: bool,
    },
    /// Get the configuration and store it, if it changed
    #[command(
        after_help = "Example:\n  providore-device config --config-path /etc/app/config.json"
    )]
    Config,
    /// Get and install new firmware, if some waits; or, for its author, sign and verify manifests
    #[command(
        after_help = "Example:\n  providore-device firmware --firmware-dir /opt/app/firmware \
                      --hook /opt/app/restart \\\n      --hardware gateway-2 --author-key \
                      author.pub.pem --author-key second.pub.pem\n\nWith --author-key nothing is \
                      installed that none of these authors has signed for this hardware, whoever the \
                      server is; without it the server is trusted.\n\nThe commands below it are for \
                      the author of firmware and ask no server."
    )]
    Firmware(FirmwareArgs),
    /// List the servers that announce themselves on the local network: name, address, and the SHA-256
    /// of the CA's certificate; anybody can announce anything
    #[command(
        after_help = "Example:\n  providore-device find --seconds 5\n\nCompare the last column \
                      with `openssl x509 -in ca.pem -noout -fingerprint -sha256`. Needs no \
                      settings."
    )]
    Find {
        /// How long to listen
        #[arg(long, value_name = "SECONDS", default_value_t = 3)]
        seconds: u32,
    },
    /// Get the secret that is to replace the present one, if one waits; not while `run` is running,
    /// which does so by itself
    #[command(after_help = "Example:\n  providore-device secret --state-dir /var/lib/app")]
    Secret,
    /// Keep all of it current until stopped (SIGTERM or SIGINT)
    #[command(
        after_help = "Example:\n  providore-device run --interval 3600 --hook /opt/app/restart"
    )]
    Run,
}

#[derive(Args)]
pub(crate) struct FirmwareArgs {
    #[command(subcommand)]
    pub(crate) action: Option<FirmwareAction>,
}

/// What an author of firmware does, and whoever checks it.
#[derive(Subcommand)]
pub(crate) enum FirmwareAction {
    /// Make the key pair of an author: FILE.pem, and FILE.pub.pem for the devices
    #[command(
        after_help = "Example:\n  PROVIDORE_AUTHOR_PASSWORD=… providore-device firmware keygen \
                      -o author.pem\n\nWith the variable the private key is encrypted. Make two \
                      pairs and keep them in different places: the second replaces the first."
    )]
    Keygen {
        /// Where the private key goes (PKCS#8, P-256); a file that is there stays
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Sign the manifest of an image
    #[command(
        after_help = "Example:\n  providore-device firmware sign app.bin --key author.pem \\\n      \
                      --type esp32-s3 --version 2.0.1 --sequence 7 -o app.bin.manifest\n\nThe \
                      password of an encrypted key is in PROVIDORE_AUTHOR_PASSWORD."
    )]
    Sign(Box<SignArgs>),
    /// Verify a manifest, and that the image is the one it describes
    #[command(
        after_help = "Example:\n  providore-device firmware verify app.bin app.bin.manifest \
                      --author author.pub.pem --author second.pub.pem"
    )]
    Verify {
        /// The image
        image: PathBuf,
        /// Its manifest
        manifest: PathBuf,
        /// Public key of a trusted author (PEM); up to four times
        #[arg(long = "author", value_name = "FILE", required = true, action = ArgAction::Append)]
        authors: Vec<PathBuf>,
    },
    /// Show what a manifest says, without verifying it
    #[command(after_help = "Example:\n  providore-device firmware inspect app.bin.manifest --json")]
    Inspect {
        /// The manifest
        manifest: PathBuf,
    },
}

#[derive(Args)]
pub(crate) struct SignArgs {
    /// The image
    pub(crate) image: PathBuf,

    /// Private key of the author (PKCS#8, P-256), encrypted or not
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,

    /// Hardware that the image is for
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) hardware: HardwareType,

    /// Name of the release
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: FirmwareVersion,

    /// Number of the release: from 1, higher than that of every release before it
    #[arg(long, value_name = "N")]
    pub(crate) sequence: u64,

    /// Lowest number from which a device may upgrade directly
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) min_sequence: u64,

    /// Bytes that a device checks at once: a power of two from 1KiB to 1MiB [default: 64KiB, more
    /// for images over 125 MiB]
    #[arg(long, value_name = "SIZE", value_parser = chunk_size)]
    pub(crate) chunk_size: Option<ChunkSize>,

    /// Where the manifest goes [default: IMAGE.manifest]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Replace a manifest that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// `65536`, `64KiB` or `1MiB`.
fn chunk_size(text: &str) -> Result<ChunkSize, &'static str> {
    let (digits, unit) = match (text.strip_suffix("KiB"), text.strip_suffix("MiB")) {
        (Some(digits), _) => (digits, 1024),
        (_, Some(digits)) => (digits, 1024 * 1024),
        _ => (text, 1),
    };
    let bytes = digits
        .trim_end()
        .parse()
        .ok()
        .and_then(|n: u64| n.checked_mul(unit));
    bytes
        .and_then(ChunkSize::new)
        .ok_or("not a power of two from 1KiB to 1MiB")
}

#[derive(Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Options {
    /// YAML file with settings [default: the first /etc/providore-client/config*, then
    /// ~/.config/providore-client/config*]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Server, such as `http://10.0.0.7:3000` or `https://provision.example` [default: the one that
    /// is found on the local network]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<String>,

    /// Address of an interface to search for servers on; may be repeated [default: all]
    #[arg(long, global = true, value_name = "ADDR")]
    pub(crate) interface: Vec<Ipv4Addr>,

    /// CA certificates (PEM): for HTTPS, and what certificates are first checked against
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// Name of this device
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) device_id: Option<String>,

    /// Secret shared with the server; visible to every user in `ps`, so prefer --secret-file or
    /// the variable `PROVIDORE_SECRET`
    #[arg(
        long,
        global = true,
        value_name = "TEXT",
        conflicts_with = "secret_file"
    )]
    pub(crate) secret: Option<String>,

    /// File that holds the secret, in one line; line ends and blanks around it do not count
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,

    /// Where the certificate chain is kept [default: STATE/cert.pem]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) cert_path: Option<PathBuf>,

    /// Where the private key is kept (PKCS#8, P-256) [default: STATE/key.pem]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_path: Option<PathBuf>,

    /// Accept any HTTPS certificate of the server
    #[arg(long, global = true)]
    pub(crate) insecure: bool,

    /// Where the configuration is kept [default: STATE/config.json]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config_path: Option<PathBuf>,

    /// Folder of the firmware: two slots and the link `current`
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) firmware_dir: Option<PathBuf>,

    /// Firmware that runs [default: what was installed last, else 1.0]
    #[arg(long, global = true, value_name = "VERSION")]
    pub(crate) firmware_version: Option<String>,

    /// Public key of an author of firmware (PEM, from `firmware keygen`): install only what one of
    /// them has signed; up to four times
    #[arg(long, global = true, value_name = "FILE", action = ArgAction::Append)]
    pub(crate) author_key: Vec<PathBuf>,

    /// Hardware of this machine, as authors name it in `firmware sign --type`
    #[arg(long = "hardware", global = true, value_name = "TYPE")]
    pub(crate) own_hardware: Option<String>,

    /// Number of the release that this machine had at first, as in `firmware sign --sequence`:
    /// nothing older is installed [default: 0]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) firmware_sequence: Option<u64>,

    /// Folder for what has no path of its own [default: the `STATE_DIRECTORY` of systemd, else
    /// /var/lib/providore-client for root, else ~/.local/state/providore-client]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,

    /// Command to run after each change, split at blanks, without a shell
    #[arg(long, global = true, value_name = "CMD")]
    pub(crate) hook: Option<String>,

    /// How to sign: `signed`, or `original` for a server of a first Providore; weaker: nothing is
    /// encrypted, answers can be moved from one question to another, and the clock must be right
    /// [default: signed]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) dialect: Option<Dialect>,

    /// Accept the dates of a first Providore, whose answers expire when they are made; means
    /// `--dialect original`
    #[arg(long, global = true)]
    pub(crate) first_providore: bool,

    /// Seconds from one look to the next, for `run` [default: 3600]
    #[arg(long, global = true, value_name = "SECONDS")]
    pub(crate) interval: Option<u32>,

    /// UDP port to hear notices of the server at, for `run`: what waits is then fetched within
    /// seconds [default: none]
    #[arg(long, global = true, value_name = "PORT")]
    pub(crate) notices: Option<u16>,

    /// Print one JSON object a line on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

const EXAMPLE: &str = "\
Example:
  PROVIDORE_SECRET=… providore-device --server http://10.0.0.7:3000 --device-id d8fa0180

Without --server it looks for one on the local network (`providore-device find` lists them).
Use --help for exit codes, the hook and the settings file.";

const LONG_HELP: &str = "\
Example:
  providore-device --server http://10.0.0.7:3000 --device-id d8fa0180 \\
      --secret-file /etc/providore-client/secret --cert-path /etc/app/cert.pem

Settings file (YAML; every key is a flag of the same name):
  server: https://provision.example
  device-id: d8fa0180
  secret-file: /etc/providore-client/secret
  cert-path: /etc/app/cert.pem
  key-path: /etc/app/key.pem
A `csr:` map of the Go client is read and ignored: the server writes the subject.

Server: without one it is found by multicast DNS. Anybody can announce a server; one counts when its
answer is signed with this device's secret, and the address of such a one is kept in STATE and asked
first. Only HTTP is found, and only with the dialect `signed`.

Hook: run with PROVIDORE_EVENT=config|certificate|firmware and PROVIDORE_PATH, the file that
changed (for firmware also PROVIDORE_VERSION). New firmware is on trial until the hook ends:
with exit code 0 it stays, otherwise the previous one is put back and that version is not
installed again. Without a hook it stays. A configuration or certificate of which the hook did not
end with 0 is told again at each look until it does, also after a restart.

Authors of firmware: with --author-key (in the file a list, `author-key: [a.pub.pem, b.pub.pem]`)
and --hardware, firmware is installed only if its manifest is signed by one of them, is for this
hardware and newer than all that was installed. Each chunk is checked before it is written, and an
interrupted download goes on where it ended. What was tried and did not work is told to the server.
Give two keys at least: a key is revoked by not being given any more. Without --author-key whoever
holds the server decides what runs here.

Whom certificates are checked against: the chain must lead to the CA pinned in STATE, at first to
that in --ca; if it does not, to the one the server shows at /certificates/ca.pem, which is then
pinned. The chain itself comes in an answer signed with the device's secret, so that nobody
without the secret can have another CA pinned.

Secret: in a file of its own or in PROVIDORE_SECRET it is read without a byte order mark, line ends and
blanks around it; quotes around it, control characters and a second line are refused. In the settings
file and after --secret it is taken as it is. For `signed` it has 16 to 64 bytes.

The server can have it replaced (`run` and `secret` do). The next one is kept in STATE,
readable by its owner alone; the one given in the settings is no longer accepted then, and has to
stay there all the same: it tells which replacement is in force. STATE must not be lost.

Exit codes:
  0  done, or nothing to do
  1  failure that may pass: network, server, time
  2  wrong usage or settings
  3  the server does not accept this device (401, 403)
  4  the answer could not be verified, or is of the wrong kind
  5  trouble on this machine: files, key, clock, hook";
