#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::Statement;
use crate::dialect::Dialect::{self, MySql, Postgres, Sqlite};

const ALL: [Dialect; 3] = [Sqlite, MySql, Postgres];

fn translated(dialect: Dialect, text: &str) -> (String, Vec<String>) {
    let statement = Statement::new(dialect, text).unwrap();
    (statement.sql().as_str().to_owned(), statement.names)
}

#[test]
fn parameters_become_placeholders() {
    let text = "select a from t where u = :user and (v = :id or w = :user)";
    let select = "select a from t where u = ";
    let (sql, names) = translated(Sqlite, text);
    assert_eq!(sql, format!("{select}?1 and (v = ?2 or w = ?1)"));
    assert_eq!(names, ["user", "id"]);
    let (sql, names) = translated(Postgres, text);
    assert_eq!(sql, format!("{select}$1 and (v = $2 or w = $1)"));
    assert_eq!(names, ["user", "id"]);
    let (sql, names) = translated(MySql, text);
    assert_eq!(sql, format!("{select}? and (v = ? or w = ?)"));
    assert_eq!(names, ["user", "id", "user"]);
}

#[test]
fn what_looks_like_a_parameter_and_is_none_stays() {
    let same = [
        (
            &ALL[..],
            "select ':user', \":user\", 'it''s :user', \"a\"\":user\"",
        ),
        (&ALL, "select 1 -- :user\n, 2 /* :user */"),
        (&ALL, "select '08:30:00', 1 : 2"),
        (
            &[MySql],
            "select '\\':user', \"\\\":user\", `:user`, 5--1, @x := 1 # :user",
        ),
        (&[Sqlite], "select '\\', [:user], `:user`"),
        (
            &[Postgres],
            "select E'\\':user', '\\', $$:user$$, $a$ $$ :user $a$, a$b",
        ),
        (
            &[Postgres],
            "select x::text, /* /* :user */ :user */ j ? 'k', a # b",
        ),
    ];
    for (dialects, text) in same {
        for dialect in dialects {
            let (sql, names) = translated(*dialect, text);
            assert_eq!(sql, text, "{dialect:?}");
            assert!(names.is_empty());
        }
    }
    let (sql, names) = translated(Postgres, "select :id::uuid, ':x'::text; -- :end");
    assert_eq!(
        (sql.as_str(), names.len()),
        ("select $1::uuid, ':x'::text -- :end", 1)
    );
}

#[test]
fn what_is_wrong_is_said() {
    for (dialects, text, words) in [
        (&ALL[..], "select 'a", "is not closed"),
        (&ALL, "select /* a", "is not closed"),
        (&ALL, "delete from a; delete from b", "one statement"),
        (&ALL, " \n", "no statement"),
        (&[MySql, Sqlite], "select ?", "have names"),
        (&[Sqlite], "select @user", "have names"),
        (&[Postgres], "select $1", "have names"),
        (&[Postgres], "select $a$ b", "is not closed"),
    ] {
        for dialect in dialects {
            let problem = Statement::new(*dialect, text).unwrap_err();
            assert!(problem.contains(words), "{dialect:?} {text}: {problem}");
        }
    }
}

proptest! {
    /// Nothing panics, and nothing but parameters and a last semicolon changes.
    #[test]
    fn any_text_is_taken_or_refused(text in "[a:;'\"`$?@#\\-\\\\/*\\[\\] \nE1é]{0,40}") {
        for dialect in ALL {
            let Ok(statement) = Statement::new(dialect, &text) else { continue };
            let sql = statement.sql().as_str().to_owned();
            if statement.names.is_empty() && !text.contains(';') {
                prop_assert_eq!(&sql, &text);
            }
            // a second look finds what the first made, and nothing else
            if dialect == MySql && !statement.names.is_empty() {
                prop_assert!(Statement::new(dialect, &sql).is_err());
            }
        }
    }

    /// A string literal, however it is written, hides what is in it.
    #[test]
    fn strings_hide_their_content(content in "[a:;\"$?@#\\-/*\\[\\] \né]{0,20}") {
        for dialect in ALL {
            let text = format!("select '{content}', :user");
            let (sql, names) = translated(dialect, &text);
            prop_assert!(sql.contains(&content));
            prop_assert_eq!(names, ["user"]);
        }
    }
}
