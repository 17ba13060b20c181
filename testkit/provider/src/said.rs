//! What providers say, each in its own way.

use crate::Answer;

/// A token (RFC 6749 section 5.1).
pub fn token(access: &str, refresh: Option<&str>) -> Answer {
    let refresh = refresh.map(|refresh| format!(r#","refresh_token":"{refresh}""#));
    let refresh = refresh.unwrap_or_default();
    Answer::json(
        200,
        format!(
            r#"{{"access_token":"{access}","token_type":"Bearer","expires_in":3600{refresh}}}"#
        ),
    )
}

/// A no (RFC 6749 section 5.2).
pub fn error(code: &str) -> Answer {
    Answer::json(400, format!(r#"{{"error":"{code}"}}"#))
}

/// Microsoft says no: with numbers of its own, a text of several lines and what its support asks for.
pub fn microsoft(code: &str, number: u64, text: &str) -> Answer {
    Answer::json(
        400,
        format!(
            "{{\"error\":\"{code}\",\"error_description\":\"AADSTS{number}: {text} Trace ID: \
             0aeee7a5-5b2f-4b8e-9a6f-d5a4c3c40300 Correlation ID: 2d1d2a2c-2b6c-4b0e-8b46-5d57f9c5a7e4 Timestamp: \
             2026-11-30 12:00:00Z\",\"error_codes\":[{number}],\"timestamp\":\"2026-11-30 12:00:00Z\",\"trace_id\":\
             \"0aeee7a5-5b2f-4b8e-9a6f-d5a4c3c40300\",\"correlation_id\":\"2d1d2a2c-2b6c-4b0e-8b46-5d57f9c5a7e4\",\
             \"error_uri\":\"https://login.microsoftonline.com/error?code={number}\"}}"
        ),
    )
}

/// Microsoft's device code: without an address that has the code in it, and with a text for people.
pub fn microsoft_device_code() -> Answer {
    Answer::json(
        200,
        r#"{"user_code":"FJZ6K7YGC","device_code":"device-secret","verification_uri":"https://microsoft.com/devicelogin","expires_in":900,"interval":5,"message":"To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code FJZ6K7YGC to authenticate."}"#,
    )
}

/// Google ends a session of an organisation.
pub fn google_invalid_rapt() -> Answer {
    Answer::json(
        400,
        r#"{"error":"invalid_grant","error_description":"reauth related error (invalid_rapt)","error_uri":"https://support.google.com/a/answer/9368756","error_subtype":"invalid_rapt"}"#,
    )
}

/// What an issuer tells of itself (RFC 8414); its endpoints are at `/authorize`, `/token`, `/device` and `/revoke`.
pub fn metadata(issuer: &str, more: &str) -> Answer {
    Answer::json(
        200,
        format!(
            r#"{{"issuer":"{issuer}","authorization_endpoint":"{issuer}/authorize","token_endpoint":"{issuer}/token","device_authorization_endpoint":"{issuer}/device","revocation_endpoint":"{issuer}/revoke"{more}}}"#
        ),
    )
}
