//! Connections: accepted one by one, counted, bounded in time, and ended with care.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;

use super::{
    App,
    client::is_trusted,
    http::{Peer, router},
    tls::Material,
};
use crate::settings::Limits;

/// The most header bytes of a request: many times what any client sends.
const MAX_HEAD: usize = 16 * 1024;

/// Takes connections until it is told to stop, then waits for those in hand.
pub(super) async fn accept(
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<Arc<Material>>,
    mut stopped: watch::Receiver<bool>,
) {
    let limits = app.settings.limits.clone();
    let graceful = GracefulShutdown::new();
    let router = router(Arc::clone(&app));
    loop {
        let accepted = tokio::select! {
            accepted = next(&app, &listener) => accepted,
            _ = stopped.changed() => break,
        };
        let Some((stream, peer, place)) = accepted else {
            continue;
        };
        // All connections of a proxy come from one address.
        let counted = !is_trusted(peer.ip(), &app.settings.trusted_proxies);
        let address_place = counted.then(|| app.addresses.connect(peer.ip()));
        let Some(address_place) = address_place.map_or(Some(None), |place| place.map(Some)) else {
            metrics::counter!("providore_limited_total", "by" => "connections").increment(1);
            continue;
        };
        let connection = Connection {
            peer,
            router: router.clone(),
            limits: limits.clone(),
            watcher: graceful.watcher(),
        };
        let tls = tls.clone();
        tokio::spawn(async move {
            if let Err(error) = connection.serve(stream, tls).await {
                tracing::debug!(%peer, %error, "connection ended");
            }
            drop((place, address_place));
        });
    }
    drop(listener);
    let grace = Duration::from_secs(limits.shutdown_grace_s);
    if timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections did not end in time and were cut");
    }
}

/// The next connection, once there is a place for it.
async fn next(
    app: &App,
    listener: &TcpListener,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(&app.places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            // Out of descriptors, most likely: they come back when connections end.
            app.lines
                .fault(|| tracing::error!(%error, "cannot accept a connection"));
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// What one connection takes with it.
struct Connection {
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    watcher: Watcher,
}

impl Connection {
    async fn serve(self, stream: TcpStream, tls: Option<Arc<Material>>) -> Result<(), Fault> {
        stream.set_nodelay(true)?;
        match tls {
            None => self.converse(stream).await,
            Some(tls) => {
                let patience = Duration::from_secs(self.limits.request_timeout_s);
                let stream = timeout(patience, tls.acceptor().accept(stream)).await??;
                self.converse(stream).await
            }
        }
    }

    async fn converse(
        self,
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
    ) -> Result<(), Fault> {
        let Self {
            peer,
            router,
            limits,
            watcher,
        } = self;
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(Duration::from_secs(limits.stall_timeout_s)));
        let service = router.map_request(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            request
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(limits.request_timeout_s))
            .max_buf_size(MAX_HEAD)
            .serve_connection(
                TokioIo::new(Box::pin(stream)),
                TowerToHyperService::new(service),
            );
        watcher.watch(connection).await?;
        Ok(())
    }
}
