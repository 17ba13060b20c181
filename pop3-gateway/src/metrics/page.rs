//! `/metrics`: what is scraped.

use std::sync::Arc;

use hyper::header::ACCEPT;
use hyper::{Method, StatusCode};

use super::exposition::{Exposition, Format};
use crate::http::page::answer;
use crate::http::{Page, Serves};

/// The page. It blocks, for it asks the system about the process.
pub fn page(exposition: Arc<Exposition>) -> Page {
    Page::blocking(Serves::Metrics, Method::GET, "/metrics", move |asked| {
        // a client may name what it takes in several headers
        let accept = asked.head.headers.get_all(ACCEPT).into_iter();
        let accept = accept.filter_map(|value| value.to_str().ok());
        let format = Format::wanted(&accept.collect::<Vec<_>>().join(","));
        answer(
            StatusCode::OK,
            format.content_type(),
            exposition.text(format),
        )
    })
}
