//! `serve`: sockets around the server core.

mod announce;
mod audit;
mod capped;
mod client;
mod http;
mod last_seen;
mod limits;
mod listen;
mod refresh;
mod sweep;
mod tasks;
mod tls;

pub(crate) use tls::fresh_key;

use std::{future::Future, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use providore_pki::{LocalCa, Validity};
use providore_server_core::{
    Server, Settings as CoreSettings,
    json_files::{JsonStore, file_mode_is_private},
};
use providore_sign::{Freshness, original::RequestPolicy};
use providore_wire::dns_sd::Fingerprint;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::{Semaphore, watch},
};

use self::{
    audit::Lines,
    last_seen::{LastSeen, State},
    tasks::Tasks,
};
use crate::{
    Common, ca, clock,
    data::DataFolder,
    failure::{Failure, OrFail as _, Outcome},
    logs,
    presence::Presence,
    resources,
    server_lock::ServerLock,
    settings::{Announced, File, LogFormat, MetricsAudience, Network},
};

/// Answers devices over HTTP and HTTPS.
#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  providore-server serve                                     HTTP on 127.0.0.1:3000
  providore-server serve --http 0.0.0.0:3000 --https 0.0.0.0:3443
  providore-server serve --config /etc/providore/config.json an original installation, as it is

One server runs on a data folder at a time; commands such as `device add` work beside it.

The first start makes a certificate authority. Without --tls-cert, HTTPS shows a certificate from
it; devices that pin ca.pem trust that. Set PROVIDORE_CA_PASSWORD before the first start to have
the CA's keys encrypted. Stop with Ctrl-C or SIGTERM: requests in hand are finished.

A server that others can reach over HTTP announces itself on the local network, so that devices there
need no address: `providore-device find` shows it.")]
pub(crate) struct ServeArgs {
    /// Listen for HTTP here. Default: 127.0.0.1:3000, unless --https is given.
    #[arg(long, value_name = "ADDR", env = "PROVIDORE_HTTP")]
    pub(crate) http: Option<SocketAddr>,
    /// Listen for HTTPS here.
    #[arg(long, value_name = "ADDR", env = "PROVIDORE_HTTPS")]
    pub(crate) https: Option<SocketAddr>,
    /// A settings file: TOML, or the config.json of a first Providore.
    #[arg(long, value_name = "FILE", env = "PROVIDORE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// A certificate chain for HTTPS, in PEM.
    #[arg(
        long,
        value_name = "FILE",
        env = "PROVIDORE_TLS_CERT",
        requires = "tls_key"
    )]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of that certificate, in PEM.
    #[arg(
        long,
        value_name = "FILE",
        env = "PROVIDORE_TLS_KEY",
        requires = "tls_cert"
    )]
    pub(crate) tls_key: Option<PathBuf>,
    /// A name or address for a certificate from our own CA; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_name: Vec<String>,
    /// Text for people or JSON for programs.
    #[arg(long, value_enum, env = "PROVIDORE_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Append the log to this file in place of standard error.
    #[arg(long, value_name = "FILE", env = "PROVIDORE_LOG_FILE")]
    pub(crate) log_file: Option<PathBuf>,
    /// error, warn, info, debug, or a filter such as `providore_server=debug`.
    #[arg(long, value_name = "LEVEL", env = "PROVIDORE_LOG")]
    pub(crate) log_level: Option<String>,
    /// Who may read /metrics.
    #[arg(long, value_enum)]
    pub(crate) metrics: Option<MetricsAudience>,
    /// A proxy, or a network of proxies, whose Forwarded or X-Forwarded-For is believed; may be repeated.
    #[arg(long, value_name = "ADDR[/BITS]")]
    pub(crate) trusted_proxy: Vec<Network>,
    /// Requests of one device in a minute.
    #[arg(long, value_name = "N")]
    pub(crate) device_per_minute: Option<u32>,
    /// Requests from one address in a second.
    #[arg(long, value_name = "N")]
    pub(crate) address_per_second: Option<u32>,
    /// Accept requests of the `Original` dialect signed without the firmware version.
    #[arg(long)]
    pub(crate) allow_unversioned: bool,
    /// Do not announce the server on the local network (DNS-SD).
    #[arg(long)]
    pub(crate) no_announce: bool,
    /// Announce it also when only this machine can reach it.
    #[arg(long, conflicts_with = "no_announce")]
    pub(crate) announce_loopback: bool,
    /// Announce it under this name. Default: the name of this machine.
    #[arg(long, value_name = "NAME")]
    pub(crate) announce_name: Option<String>,
}

impl ServeArgs {
    /// Lays the flags over the file.
    fn over(self, mut file: File) -> File {
        fn set<T>(slot: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *slot = value;
            }
        }
        file.http = self.http.or(file.http);
        file.https = self.https.or(file.https);
        file.tls.certificate = self.tls_cert.or(file.tls.certificate);
        file.tls.key = self.tls_key.or(file.tls.key);
        file.tls.names.extend(self.tls_name);
        file.log.file = self.log_file.or(file.log.file);
        file.log.level = self.log_level.or(file.log.level);
        set(&mut file.log.format, self.log_format);
        set(&mut file.metrics, self.metrics);
        file.trusted_proxies.extend(self.trusted_proxy);
        set(&mut file.limits.device_per_minute, self.device_per_minute);
        set(&mut file.limits.address_per_second, self.address_per_second);
        file.original.allow_unversioned |= self.allow_unversioned;
        file.announce.name = self.announce_name.or(file.announce.name);
        let always = self.announce_loopback.then_some(Announced::Always);
        let never = self.no_announce.then_some(Announced::Never);
        set(&mut file.announce.when, never.or(always));
        if file.http.is_none() && file.https.is_none() {
            file.http = Some(SocketAddr::from(([127, 0, 0, 1], 3000)));
        }
        file
    }
}

/// Runs until it is told to stop.
pub(crate) fn run(common: &Common, args: ServeArgs) -> Outcome {
    let file = match &args.config {
        Some(path) => File::read(path)?,
        None => File::default(),
    };
    let settings = args.over(file);
    let _logs = logs::begin(&settings.log)?;
    let folder = settings.folders(&common.folder());
    let _lock = ServerLock::take(&common.data, &folder.layout)?;
    block_on(async {
        let mut running = Running::start(&folder, &settings).await?;
        let outcome = running.until(std::future::pending()).await;
        tracing::info!("stopping");
        running.stop().await;
        outcome
    })
}

/// How long the end of the program waits for a thread that the operating system holds, such as one
/// that reads from a file system that does not answer.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// Runs everything that serves.
pub(crate) fn block_on(serving: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .or_fail("start the runtime")?;
    let outcome = runtime.block_on(serving);
    runtime.shutdown_timeout(LAST_PATIENCE);
    outcome
}

/// Somebody presses Ctrl-C, or the service manager ends us. From when this is made: before, these
/// signals end the process at once.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn new() -> Outcome<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).or_fail("wait for Ctrl-C")?,
            terminate: signal(SignalKind::terminate()).or_fail("wait for SIGTERM")?,
        })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What every request needs.
pub(crate) struct App {
    server: Server<JsonStore>,
    addresses: limits::Addresses,
    metrics: PrometheusHandle,
    answer_seconds: metrics::Histogram,
    settings: File,
    last_seen: LastSeen,
    lines: Arc<Lines>,
    /// For all connections, over HTTP and HTTPS.
    places: Arc<Semaphore>,
    presence: Arc<Presence>,
    ca: Option<Fingerprint>,
    folder: DataFolder,
    /// When the issuing certificate begins and ends.
    ca_validity: Validity,
}

/// A server that runs.
pub(crate) struct Running {
    /// Where it listens for HTTP.
    pub(crate) http: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    /// The longest that requests in hand have to end.
    grace: Duration,
    signals: StopSignals,
    tasks: Tasks,
    announcer: Option<announce::Announcer>,
}

impl Running {
    /// Opens everything, binds everything, and only then begins to answer.
    pub(crate) async fn start(folder: &DataFolder, settings: &File) -> Outcome<Self> {
        let app = Arc::new(App::open(folder, settings)?);
        let http = bind(settings.http, "HTTP").await?;
        let https = bind(settings.https, "HTTPS").await?;
        let tls = match &https {
            Some(_) => Some(tls::Material::new(folder, &settings.tls)?),
            None => None,
        };
        let (stop, stopped) = watch::channel(false);
        let mut tasks = Tasks::default();
        let address = |listener: &Option<TcpListener>| {
            listener
                .as_ref()
                .and_then(|listener| listener.local_addr().ok())
        };
        let running_at = (address(&http), address(&https));
        if let Some(listener) = http {
            let accepting = listen::accept(Arc::clone(&app), listener, None, stopped.clone());
            tasks.spawn("HTTP", accepting);
        }
        if let (Some(listener), Some(tls)) = (https, tls) {
            let tls = Arc::new(tls);
            let renewing = tls::keep_fresh(Arc::clone(&tls), stopped.clone());
            tasks.spawn("TLS certificate", renewing);
            let accepting = listen::accept(Arc::clone(&app), listener, Some(tls), stopped.clone());
            tasks.spawn("HTTPS", accepting);
        }
        let (http, https) = running_at;
        let announcer = announce::begin(&settings.announce, http, app.ca)?;
        if let Some(announcer) = &announcer {
            tasks.spawn("announcer", announcer.watch());
        }
        tasks.spawn("reload", refresh::keep_fresh(app, stopped));
        let signals = StopSignals::new()?;
        tracing::info!(
            http = http.map(tracing::field::display),
            https = https.map(tracing::field::display),
            devices = %folder.layout.devices.display(),
            "serving"
        );
        Ok(Self {
            http,
            stop,
            grace: Duration::from_secs(settings.limits.shutdown_grace_s),
            signals,
            tasks,
            announcer,
        })
    }

    /// Serves until this is ready, or until somebody stops us. Fails if the server dies before.
    pub(crate) async fn until(&mut self, ready: impl Future<Output = Outcome>) -> Outcome {
        tokio::select! {
            outcome = ready => outcome,
            () = self.signals.recv() => Ok(()),
            death = self.tasks.death() => Err(death),
        }
    }

    /// Stops taking requests, lets those in hand end, and returns.
    pub(crate) async fn stop(mut self) {
        if let Some(announcer) = self.announcer.take() {
            announcer.end().await;
        }
        let _ = self.stop.send(true);
        let patience = self.grace.saturating_add(LAST_PATIENCE);
        if tokio::time::timeout(patience, self.tasks.ended())
            .await
            .is_err()
        {
            tracing::warn!("not everything ended in time");
        }
    }
}

impl App {
    fn open(folder: &DataFolder, settings: &File) -> Outcome<Self> {
        // First of all: who counts before there is a recorder counts for nobody.
        let metrics = metrics_recorder()?;
        for note in &settings.notes {
            tracing::warn!("{note}");
        }
        let password = ca_password();
        let store = folder.quiet_store()?;
        warn_of_files(&store);
        warn_of_wide_modes(folder);
        let mut authority = open_authority(folder, &store, password.as_deref())?;
        if let Some(url) = &settings.certificates.crl_url {
            if url.to_ascii_lowercase().ends_with("crl.pem") {
                tracing::warn!(
                    url,
                    "certificates.crl_url has to name a list in DER (RFC 5280, 4.2.1.13): use \
                     /certificates/crl.der"
                );
            }
            authority = authority
                .with_crl_url(url)
                .or_fail("use certificates.crl_url")?;
        }
        let core = CoreSettings {
            original: RequestPolicy {
                freshness: Freshness {
                    max_window_s: settings.original.max_window_s,
                    max_skew_s: settings.original.max_skew_s,
                },
                allow_unversioned: settings.original.allow_unversioned,
            },
            overlap_s: settings.certificates.overlap_s,
            list_superseded: settings.certificates.crl_superseded,
            crl_lifetime_s: settings.certificates.crl_lifetime_s,
            ..CoreSettings::DEFAULT
        };
        let ca = announce::fingerprint(&authority)?;
        let ca_validity = *authority.validity();
        let last_seen = LastSeen::of(folder);
        let now = clock::now();
        let start = clock::start(last_seen.start(now));
        last_seen.note_or_say(now, State::Running);
        let lines = Arc::new(Lines::default());
        let presence = Arc::new(Presence::open(&folder.presence));
        let server = Server::new(store, authority, core, &start)
            .or_fail("make the server")?
            .with_audit(audit::Log::new(Arc::clone(&lines), Arc::clone(&presence)))
            .with_admission(limits::Devices::new(settings.limits.device_per_minute));
        Ok(Self {
            server,
            addresses: limits::Addresses::new(&settings.limits),
            answer_seconds: metrics::histogram!("providore_answer_seconds"),
            metrics,
            settings: settings.clone(),
            last_seen,
            lines,
            places: Arc::new(Semaphore::new(connections(settings))),
            presence,
            ca,
            ca_validity,
            folder: folder.clone(),
        })
    }
}

/// Opens the CA or makes it, and says what will break with it.
fn open_authority(
    folder: &DataFolder,
    store: &JsonStore,
    password: Option<&str>,
) -> Outcome<LocalCa> {
    let is_new = !folder.ca.missing().is_empty();
    let ca = folder.authority(store, password)?;
    if is_new && folder.has_certificates_of_first_providore() {
        tracing::warn!(
            "this installation has certificates of another CA, that of a first Providore, and now a new \
             CA of its own: at their next renewal devices get certificates that brokers do not trust \
             yet. Have them trust ca.pem as well, or go on with a CA of your own: `providore-server \
             ca import --help`"
        );
    }
    ca::warn(&folder.ca, &ca, password);
    Ok(ca)
}

/// The password of the CA's keys. It comes from the environment only: a flag would show in `ps`.
#[expect(clippy::disallowed_methods, reason = "a program reads its environment")]
pub(crate) fn ca_password() -> Option<String> {
    std::env::var("PROVIDORE_CA_PASSWORD")
        .ok()
        .filter(|password| !password.is_empty())
}

fn warn_of_wide_modes(folder: &DataFolder) {
    let devices = &folder.layout.devices;
    if let Ok(false) = file_mode_is_private(devices) {
        tracing::warn!(
            file = %devices.display(),
            "others can read this file and with it every secret; chmod 600 it"
        );
    }
}

fn warn_of_files(store: &JsonStore) {
    for doubt in store.take_doubts() {
        tracing::warn!(file = %store.layout().devices.display(), "{doubt}");
    }
    for repair in store.take_repairs() {
        tracing::warn!(file = %store.layout().log().display(), "certificate log repaired: {repair}");
    }
}

/// How many connections there may be; says what the system gives, and if that is too little.
fn connections(settings: &File) -> usize {
    let wanted = settings.limits.connections;
    let files = resources::raise_file_limit();
    let connections = resources::connections(wanted, files);
    if connections < wanted {
        tracing::warn!(
            files,
            connections,
            "fewer connections than limits.connections = {wanted}: raise the limit of open files (ulimit \
             -Hn, LimitNOFILE=)"
        );
    } else {
        tracing::info!(files, connections, "limits");
    }
    connections
}

async fn bind(address: Option<SocketAddr>, what: &str) -> Outcome<Option<TcpListener>> {
    let Some(address) = address else {
        return Ok(None);
    };
    let listener = TcpListener::bind(address)
        .await
        .or_fail(format!("listen for {what} on {address}"))
        .map_err(|failure: Failure| {
            failure
                .hint("is another server running there? choose an address with --http or --https")
        })?;
    Ok(Some(listener))
}

/// One recorder for the whole process, also when several servers run in it.
fn metrics_recorder() -> Outcome<PrometheusHandle> {
    static HANDLE: std::sync::OnceLock<PrometheusHandle> = std::sync::OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .install_recorder()
        .or_fail("begin metrics")?;
    Ok(HANDLE.get_or_init(|| handle).clone())
}
