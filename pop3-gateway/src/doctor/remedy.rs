//! What an administrator of a provider has to do, with the commands for it.

use crate::oauth::claims::Claims;

/// An app may open a mailbox at Microsoft.
pub(super) fn app_commands(client: &str, mailbox: &str, claims: &Claims) -> String {
    let id = |found: Option<&str>, unknown: &str| {
        let found = found.filter(|id| is_id(id));
        found.unwrap_or(unknown).to_owned()
    };
    let app = id(claims.app.as_deref().or(Some(client)), "APPLICATION-ID");
    let object = id(claims.object.as_deref(), "OBJECT-ID");
    let mailbox = quoted(mailbox);
    format!(
        "an administrator of Exchange makes the service principal, with the object id of the Enterprise application (not \
         of App registrations), and gives it the mailbox:\n\
         Connect-ExchangeOnline\n\
         Get-ServicePrincipal | Where-Object AppId -eq {app} | Format-List AppId,ObjectId\n\
         New-ServicePrincipal -AppId {app} -ObjectId {object}\n\
         Add-MailboxPermission -Identity {mailbox} -User {object} -AccessRights FullAccess\n\
         Set-CASMailbox -Identity {mailbox} -ImapEnabled $true\n\
         If the first list shows another ObjectId than {object}, remove that one first (Remove-ServicePrincipal). The \
         mailbox needs a licence with Exchange Online, or to be a shared one. It may take half an hour to work."
    )
}

/// A person may open a mailbox at Microsoft.
pub(super) fn person_commands(owner: &str, mailbox: &str) -> String {
    let permission = match owner.eq_ignore_ascii_case(mailbox) {
        true => String::new(),
        false => format!(
            "Add-MailboxPermission -Identity {} -User {} -AccessRights FullAccess\n",
            quoted(mailbox),
            quoted(owner)
        ),
    };
    format!(
        "an administrator of Exchange turns IMAP on for the mailbox:\n\
         Connect-ExchangeOnline\n\
         {permission}\
         Set-CASMailbox -Identity {} -ImapEnabled $true\n\
         {owner} needs a licence with Exchange Online, and must be who signed in. It may take half an hour to work.",
        quoted(mailbox)
    )
}

/// A word for PowerShell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@.-_+".contains(c);
    match text.chars().all(plain) && !text.starts_with(['-', '@']) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

/// What a service account needs, whose right is asked for by a client id.
pub(super) fn delegation(mailbox: &str) -> String {
    format!(
        "let an administrator set up domain-wide delegation: the service account's client id with the scope of \
         [[provider]] at https://admin.google.com/ac/owl/domainwidedelegation; check that {mailbox} is a user's own \
         address (no group, no alias), and that IMAP is on for it (Apps, Google Workspace, Gmail, End User Access)"
    )
}

/// The form of a directory's or an object's id.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 36
        && text
            .bytes()
            .all(|octet| octet.is_ascii_hexdigit() || octet == b'-')
}
