//! The pleasant mails.

use super::Mail;

/// A few mails that are good to look at, with distinct senders, dates and subjects.
pub fn sample() -> Vec<Mail> {
    vec![
        Mail::new("welcome", WELCOME),
        Mail::new("invoice", INVOICE),
        Mail::new("scan", SCAN),
        Mail::new("dots", DOTS),
        Mail::new("greetings", GREETINGS),
        Mail::new("newsletter", NEWSLETTER),
        Mail::new("lunch", LUNCH),
    ]
}

const WELCOME: &str = "\
From: The Gateway <gateway@example.org>\r
To: You <demo@example.org>\r
Date: Mon, 13 Jul 2026 08:00:00 +0000\r
Subject: Welcome to your mailbox\r
Message-ID: <welcome.1@example.org>\r
\r
Hello,\r
\r
this mail lies on an IMAP server, and you are reading it with POP3.\r
Nothing was changed in the mailbox by your doing so: the message is still\r
unread there, and it stays until you say DELE and QUIT.\r
\r
Have fun!\r
";

const INVOICE: &str = "\
From: Ada's Paper Shop <billing@paper.example.com>\r
To: You <demo@example.org>\r
Date: Tue, 14 Jul 2026 09:15:32 +0200\r
Subject: Invoice 2026-0714\r
Message-ID: <20260714.0714@paper.example.com>\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=\"=_invoice\"\r
\r
This is a message in several parts.\r
\r
--=_invoice\r
Content-Type: text/plain; charset=utf-8\r
\r
Dear customer,\r
\r
please find attached the invoice for your order of 500 envelopes.\r
\r
Ada\r
\r
--=_invoice\r
Content-Type: text/csv; name=\"invoice-0714.csv\"\r
Content-Disposition: attachment; filename=\"invoice-0714.csv\"\r
\r
item,quantity,price\r
envelope C6,500,24.50\r
shipping,1,4.90\r
--=_invoice--\r
";

const SCAN: &str = "\
From: Scanner, second floor <scanner@office.example.org>\r
To: You <demo@example.org>\r
Date: Wed, 15 Jul 2026 11:42:07 +0000\r
Subject: Scan 000231\r
Message-ID: <scan-000231@office.example.org>\r
MIME-Version: 1.0\r
Content-Type: image/gif; name=\"scan-000231.gif\"\r
Content-Transfer-Encoding: base64\r
\r
R0lGODlhEAAQAIAAAAAAAP///yH5BAEAAAEALAAAAAAQABAAAAIgjI+py+0Po5y02ouz3rz7D4bi\r
SJbmiabqyrbuC8fyTBYAOw==\r
";

const DOTS: &str = "\
From: Dot <dot@example.net>\r
To: You <demo@example.org>\r
Date: Thu, 16 Jul 2026 16:20:00 +0000\r
Subject: Lines that begin with a dot\r
Message-ID: <dots.4@example.net>\r
\r
POP3 ends a message with a line that holds a single dot. So what about\r
mails that have such a line?\r
\r
.\r
.. two dots\r
... and three\r
.hidden files, too\r
\r
Every such line travels with one dot more, which the client takes away.\r
If you see exactly one, two and three dots above, all is well.\r
";

const GREETINGS: &str = "\
From: =?utf-8?Q?J=C3=BCrgen_M=C3=BCller?= <juergen@example.de>\r
To: You <demo@example.org>\r
Date: Thu, 16 Jul 2026 19:03:11 +0200\r
Subject: =?utf-8?B?R3LDvMOfZSBhdXMgS8O2bG4g8J+ShA==?=\r
Message-ID: <gruesse.5@example.de>\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: 8bit\r
\r
Schöne Grüße aus Köln!\r
\r
Der Dom steht noch, das Wetter hält, und das Kölsch ist kühl.\r
\r
Jürgen\r
";

const NEWSLETTER: &str = "\
From: Garden Weekly <news@garden.example.com>\r
To: You <demo@example.org>\r
Date: Fri, 17 Jul 2026 05:00:00 +0000\r
Subject: Tomatoes, at last\r
Message-ID: <issue-29@garden.example.com>\r
MIME-Version: 1.0\r
Content-Type: multipart/alternative; boundary=\"leaf\"\r
\r
--leaf\r
Content-Type: text/plain; charset=utf-8\r
\r
Tomatoes, at last\r
=================\r
\r
Water them in the morning, never on the leaves.\r
--leaf\r
Content-Type: text/html; charset=utf-8\r
\r
<h1>Tomatoes, at last</h1>\r
<p>Water them in the morning, <em>never</em> on the leaves.</p>\r
--leaf--\r
";

const LUNCH: &str = "\
From: Kim <kim@example.org>\r
To: You <demo@example.org>\r
Date: Fri, 17 Jul 2026 10:58:41 +0000\r
Subject: Lunch?\r
Message-ID: <lunch.7@example.org>\r
\r
12:30, the usual place?\r
\r
-- \r
Kim\r
";
