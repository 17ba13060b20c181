//! A progress bar with rate and time left, on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

use crate::download::Watch;
use crate::text;

/// Shows a download on the error output.
#[derive(Default)]
pub(crate) struct Bar {
    bar: Option<ProgressBar>,
    messages: u64,
    done: u64,
}

impl Watch for Bar {
    fn start(&mut self, messages: u64, octets: u64) {
        self.messages = messages;
        self.done = 0;
        let bar = ProgressBar::new(octets);
        let template = "{bar:30} {percent:>3}%  {msg}  {binary_bytes_per_sec}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(format!("0/{messages}"));
        self.bar = Some(bar);
    }

    fn octets(&mut self, octets: u64) {
        if let Some(bar) = &self.bar {
            // the server's sizes are hints
            let reached = bar.position() + octets;
            if bar.length().is_some_and(|length| length < reached) {
                bar.set_length(reached);
            }
            bar.inc(octets);
        }
    }

    fn message(&mut self) {
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}/{}", self.done, self.messages));
        }
    }

    fn note(&mut self, text: &str) {
        let text = format!("pop3-client: {}", text::one_line(text));
        match &self.bar {
            Some(bar) if !bar.is_hidden() => bar.println(text),
            Some(_) | None => {
                use std::io::Write as _;
                let _ = writeln!(std::io::stderr(), "{text}");
            }
        }
    }

    fn stop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
