//! Octets from anywhere do no harm.

use pop3_gateway::oauth::claims::Claims;
use pop3_gateway::oauth::{CallBack, Meaning, Refusal};
use proptest::prelude::*;

use crate::script::secret;

/// Whether Microsoft says with it that a rule bars the way.
fn is_barred(number: u64) -> bool {
    let refusal = Refusal::said("invalid_grant", None, None, &[number]);
    refusal.meaning == Meaning::Settings
}

proptest! {
    /// What a person pastes, or a browser asks for.
    #[test]
    fn any_call_back_is_read(text: String, query in "[a-z=&%+#?/\\\\\u{0}-\u{7f}]{0,80}") {
        for text in [&text, &query, &format!("http://127.0.0.1/?code=HIDDEN&{query}")] {
            let told = format!("{:?}", CallBack::parse(text));
            prop_assert!(!told.contains("HIDDEN"));
        }
    }

    /// What a provider says becomes one short line.
    #[test]
    fn any_refusal_is_a_line(code: String, text: Option<String>, subtype: Option<String>, numbers: Vec<u64>) {
        let refusal = Refusal::said(&code, text.as_deref(), subtype.as_deref(), &numbers);
        let told = refusal.to_string();
        prop_assert!(!told.chars().any(char::is_control), "{:?}", told);
        prop_assert!(told.chars().count() < 800);
        prop_assert_eq!(refusal.meaning == Meaning::Ended, code == "invalid_grant" && !numbers
            .iter()
            .any(|number| matches!(number, 50196 | 90033 | 90036 | 90006 | 90012) || is_barred(*number)));
    }

    #[test]
    fn any_token_is_looked_at(text: String, middle in "[A-Za-z0-9_=-]{0,60}") {
        let _ = Claims::read(&secret(&text));
        let _ = Claims::read(&secret(&format!("e30.{middle}.x")));
    }
}
