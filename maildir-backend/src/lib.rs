//! A Maildir, or a directory of message files, as a POP3 maildrop.
