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
    response::{IntoResponse as _, Response as HttpResponse},
    routing::get,
};
use futures_util::stream;
use http::{HeaderName, HeaderValue, StatusCode, header};
use providore_server_core::{Body as CoreBody, Image, Request, Response};

use super::App;
use crate::clock;

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
        .with_state(app)
}

async fn metrics(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
) -> HttpResponse {
    if !app.settings.metrics.admits(peer.ip()) {
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
    Extension(Peer(peer)): Extension<Peer>,
    request: HttpRequest,
) -> HttpResponse {
    let began = clock::instant();
    let answer = answer(&app, peer.ip(), request).await;
    app.answer_seconds.record(began.elapsed().as_secs_f64());
    answer
}

async fn answer(app: &App, peer: IpAddr, request: HttpRequest) -> HttpResponse {
    if !app.addresses.admit(peer) {
        metrics::counter!("providore_limited_total", "by" => "address").increment(1);
        let wait = [(header::RETRY_AFTER, "1")];
        return (StatusCode::TOO_MANY_REQUESTS, wait).into_response();
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
        peer: Some(peer.to_canonical()),
    };
    into_http(app.server.handle(&request, &clock::moment()).await)
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
