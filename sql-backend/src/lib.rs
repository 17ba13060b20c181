//! SQL tables as POP3 maildrops: SQLite, MariaDB and MySQL, PostgreSQL.
