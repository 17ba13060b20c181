//! What is known about the terminal.

use std::io;

/// How many columns standard output has, if it is a terminal.
pub fn width() -> Option<usize> {
    size().map(|(columns, _)| columns)
}

/// Columns and rows of standard output, if it is a terminal.
pub fn size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    let known = |n: u16, usual| if n == 0 { usual } else { usize::from(n) };
    Some((known(size.ws_col, 80), known(size.ws_row, 24)))
}
