//! POP3SF's own tables, as its MySQL adapters make them, served by the queries of the book.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::admin::Admin;
use common::{Runtime, password, read};
use pop3_proto::backend::Index;
use pop3_proto::backend::awaiting::{AsyncMailbox, AsyncStore};
use sql_backend::{Config, Logins, Maildrops, Queries, SqlStore, Template};
use testkit_databases::Kind;
use toml::Table;

/// The store of the book that asks POP3SF's tables.
fn of_book() -> Table {
    let page = include_str!("../../docs/book/from-pop3sf.md");
    let blocks = page.split("```toml\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    let block = blocks
        .into_iter()
        .find(|block| block.contains("pop3sf_multiuser"));
    let all: Table = block.unwrap().parse().unwrap();
    all["store"][0].as_table().unwrap().clone()
}

fn text(table: &Table, key: &str) -> String {
    table[key].as_str().unwrap().to_owned()
}

fn queries(store: &Table) -> Queries {
    let asked = store["queries"].as_table().unwrap();
    let template = store["template"].as_table().unwrap();
    let headers = template["headers"].as_table().unwrap();
    let mut wrapper = Template::default()
        .from(text(template, "from"))
        .to(text(template, "to"))
        .subject(text(template, "subject"))
        .date(text(template, "date"));
    for (name, value) in headers {
        wrapper = wrapper.header(name, value.as_str().unwrap());
    }
    Queries::default()
        .list(text(asked, "list"))
        .body(text(asked, "body"))
        .delete(text(asked, "delete"))
        .template(wrapper)
}

const TABLES: &str = "
    CREATE TABLE pop3sf_multiuser_messages (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL,
        user_id INT UNSIGNED NOT NULL, message MEDIUMTEXT NOT NULL, is_plaintext BOOL NOT NULL,
        added_timestamp DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL);
    CREATE TABLE pop3sf_multiuser_users (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL,
        username VARCHAR(64) UNIQUE NOT NULL, password_bcrypt CHAR(60) NOT NULL);
    CREATE TABLE pop3sf_singleuser_messages (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL,
        message MEDIUMTEXT NOT NULL, is_plaintext BOOL NOT NULL,
        added_timestamp DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL);
    INSERT INTO pop3sf_multiuser_users VALUES
        (1, 'tim', '$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu'),
        (2, 'tom', '$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu');
    INSERT INTO pop3sf_multiuser_messages VALUES (1, 1, 'Subject: one\n\n.\n', 0, '2026-11-20 08:30:00'),
        (2, 2, 'of tom', 1, '2026-11-20 08:30:00'), (7, 1, 'Gr\u{f6}\u{df}e\n', 1, '2026-11-20 08:30:00');
    INSERT INTO pop3sf_singleuser_messages (id, message, is_plaintext, added_timestamp)
        SELECT id, message, is_plaintext, added_timestamp FROM pop3sf_multiuser_messages WHERE user_id = 1";

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_w064_pop3sf_tables_by_the_queries_of_the_readme() {
    let admin = Admin::server(Kind::MariaDb);
    admin.sql(TABLES);
    let asked = of_book();
    let mut multi = admin.config(queries(&asked));
    multi.logins = Logins::Query(text(asked["queries"].as_table().unwrap(), "account"));
    serve(multi);
    // the single user's table: the same without the users
    let row = "select message as body, is_plaintext, convert_tz(added_timestamp, 'SYSTEM', '+00:00') as added";
    let table = "pop3sf_singleuser_messages";
    let mut single = Config::new(admin.url());
    let mut alone = queries(&asked)
        .list(format!("select id from {table} order by id"))
        .body(format!("{row} from {table} where id = :id"));
    alone.delete = vec![format!("delete from {table} where id = :id")];
    single.maildrops = Maildrops::Queries(Box::new(alone));
    single.logins = Logins::Query(text(asked["queries"].as_table().unwrap(), "account"));
    serve(single);
    assert_eq!(
        admin.number("select count(*) from pop3sf_multiuser_messages"),
        1
    );
    assert_eq!(
        admin.number("select count(*) from pop3sf_singleuser_messages"),
        0
    );
}

fn serve(config: Config) {
    let store = SqlStore::connect(config).unwrap();
    Runtime::Smol.run(async {
        store.check().await.unwrap();
        // the database does not tell cases of names apart
        let mut mailbox = store.open(&password("TIM", "password")).await.unwrap();
        let entries = mailbox.list().await.unwrap();
        let names: Vec<_> = entries
            .iter()
            .map(|entry| entry.unique_id.as_str())
            .collect();
        assert_eq!(names, ["1", "7"]);
        assert_eq!(read(&mut mailbox, 0).await.unwrap(), b"Subject: one\n\n.\n");
        let mail = String::from_utf8(read(&mut mailbox, 1).await.unwrap()).unwrap();
        for part in [
            "From: nobody\r\n <nobody@localhost>\r\n",
            "To: nobody\r\n <nobody@localhost>\r\n",
            "Subject: Plaintext database entry 7\r\n",
            "X-Mailer: POP3SF-Plaintext-Wrapper\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "\r\n\r\nGröße\r\n",
            " Nov 2026 ",
        ] {
            assert!(mail.contains(part), "{mail}\nlacks {part}");
        }
        mailbox.remove(&[Index(0), Index(1)]).await.unwrap();
        store.close().await;
    });
}
