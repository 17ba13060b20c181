//! Accounts for mail stores that have none of their own: password hashes and shared secrets.
