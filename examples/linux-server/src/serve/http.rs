//! Between HTTP and the core: nothing is decided here but sizes and times.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension, Router,
    body::{Body, to_bytes},
    extract::{Request as HttpRequest, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response as HttpResponse},
    routing::get,
};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header, uri::Authority};
use providore_server_core::{Body as CoreBody, Image, Request, Response};

use super::{App, client::Client};
use crate::{clock, settings::MetricsAudience};

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// How much of an image is read at a time: enough that the disk and the scheduler are not the
/// limit, little enough for a thousand downloads at once.
const IMAGE_CHUNK: usize = 256 * 1024;

/// All routes: ours by name, everything else is the core's.
pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .fallback(provision)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), admit))
        .with_state(app)
}

/// What HTTP asks of every request, and who it is from.
async fn admit(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    mut request: HttpRequest,
    next: Next,
) -> HttpResponse {
    if !has_one_host(&request) {
        return refuse(StatusCode::BAD_REQUEST);
    }
    let Ok(client) = Client::of(peer.ip(), request.headers(), &app.settings.trusted_proxies) else {
        app.lines.refuse(|| {
            tracing::warn!(%peer, "Forwarded and X-Forwarded-For name different clients: have the proxy remove the one that it does not write");
        });
        return refuse(StatusCode::BAD_REQUEST);
    };
    request.extensions_mut().insert(client);
    next.run(request).await
}

/// RFC 9112 section 3.2: one `Host`, which names a host or nothing, in every request of HTTP/1.1.
fn has_one_host(request: &HttpRequest) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.is_empty() || Authority::try_from(host.as_bytes()).is_ok(),
        (None, None) => request.version() < Version::HTTP_11,
        _ => false,
    }
}

async fn metrics(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
) -> HttpResponse {
    let admits = match app.settings.metrics {
        MetricsAudience::Local => client.is_origin && app.settings.metrics.admits(client.address),
        audience => audience.admits(client.address),
    };
    if !admits {
        return StatusCode::NOT_FOUND.into_response();
    }
    let text = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (text, app.metrics.render()).into_response()
}

async fn provision(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    request: HttpRequest,
) -> HttpResponse {
    let began = clock::instant();
    let answer = answer(&app, client.address, request).await;
    app.answer_seconds.record(began.elapsed().as_secs_f64());
    answer
}

async fn answer(app: &App, client: IpAddr, request: HttpRequest) -> HttpResponse {
    if !app.addresses.admit(client) {
        metrics::counter!("providore_limited_total", "by" => "address").increment(1);
        let wait = [(header::RETRY_AFTER, "1")];
        return (StatusCode::TOO_MANY_REQUESTS, wait).into_response();
    }
    // What is too long is not waited for.
    if body_length(request.headers()).is_some_and(|length| length > Request::MAX_BODY as u64) {
        return closing(into_http(app.server.body_too_large()));
    }
    let (head, body) = request.into_parts();
    // No body is the usual case, and needs neither buffer nor timer.
    let body = if http_body::Body::is_end_stream(&body) {
        bytes::Bytes::new()
    } else {
        let patience = Duration::from_secs(app.settings.limits.request_timeout_s);
        match tokio::time::timeout(patience, to_bytes(body, Request::MAX_BODY)).await {
            Ok(Ok(body)) => body,
            Ok(Err(_)) => return closing(into_http(app.server.body_too_large())),
            Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT),
        }
    };
    let target = head
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    let fields: Vec<(&str, &[u8])> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let request = Request {
        method: head.method.as_str(),
        target,
        fields: &fields,
        body: &body,
        peer: Some(client),
    };
    into_http(app.server.handle(&request, &clock::moment()).await)
}

/// The length that a request says its body has. What is no number, the HTTP library has refused.
fn body_length(fields: &HeaderMap) -> Option<u64> {
    fields
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// A refusal before anything was understood, after which the connection is of no use.
fn refuse(status: StatusCode) -> HttpResponse {
    closing(status.into_response())
}

/// An answer after which the connection ends, since the rest of the request is not read.
fn closing(mut answer: HttpResponse) -> HttpResponse {
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(header::CONNECTION, close);
    answer
}

fn into_http<I: Image + 'static>(answer: Response<I>) -> HttpResponse {
    let body = match answer.body {
        CoreBody::Bytes(bytes) => Body::from(bytes),
        CoreBody::Image {
            image,
            start,
            length,
        } => image_body(image, start, length),
        _ => Body::empty(),
    };
    let mut response = HttpResponse::new(body);
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.fields {
        let value = match value {
            Cow::Borrowed(value) => HeaderValue::from_str(value),
            Cow::Owned(value) => HeaderValue::from_maybe_shared(bytes::Bytes::from(value)),
        };
        // The core writes visible ASCII only; were it ever wrong, the field is missing, not the
        // answer.
        if let Ok(value) = value {
            response
                .headers_mut()
                .append(HeaderName::from_static(name), value);
        }
    }
    response
}

/// An image as a stream that holds one piece at a time.
fn image_body<I: Image + 'static>(image: I, start: u64, length: u64) -> Body {
    let end = start.saturating_add(length);
    Body::from_stream(stream::try_unfold(
        (image, start),
        move |(image, offset)| async move {
            let left = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
            if left == 0 {
                return Ok(None);
            }
            let piece = image.read(offset, left.min(IMAGE_CHUNK)).await?;
            if piece.is_empty() {
                return Err(providore_server_core::StoreError::message(
                    "image ends too early",
                ));
            }
            let next = offset.saturating_add(piece.len() as u64);
            Ok(Some((piece, (image, next))))
        },
    ))
}
