//! clients CLIENT ASKED

use google_cloud_auth::credentials::{Builder, idtoken};
use serde_json::{Value, json};
use std::env;
use std::fmt::Debug;
use yup_oauth2::authenticator::ApplicationDefaultCredentialsTypes;
use yup_oauth2::{ApplicationDefaultCredentialsAuthenticator, ApplicationDefaultCredentialsFlowOpts};

fn step<T: Into<Value>, E: Debug>(name: &str, got: Result<T, E>) {
    let line = match got {
        Ok(value) => format!("\"value\":{}", value.into()),
        Err(error) => format!("\"error\":{}", json!(format!("{error:?}"))),
    };
    println!("{{\"step\":\"{name}\",{line}}}");
}

/// The version in the lock that this was built with.
fn version(name: &str) {
    let lock = include_str!("../Cargo.lock");
    let after = lock.split(&format!("name = \"{name}\"\nversion = \"")).nth(1);
    step("version", after.and_then(|rest| rest.split('"').next()).ok_or("not in the lock"));
}

fn text(asked: &Value, name: &str) -> String {
    asked[name].as_str().unwrap_or_default().to_string()
}

async fn google_cloud_auth(asked: &Value, scopes: &[String]) {
    step("accessToken", access_token(Builder::default()).await);
    step("scopes", access_token(Builder::default().with_scopes(scopes.iter().cloned())).await);
    step("idToken", id_token(&text(asked, "audience")).await);
    step("bareIdToken", id_token(&text(asked, "bareAudience")).await);
    let refused = id_token(&text(asked, "refusedAudience")).await;
    step("refused", refused.err().ok_or("it was not refused"));
}

async fn access_token(builder: Builder) -> Result<String, String> {
    let credentials = builder.build_access_token_credentials().map_err(|error| format!("{error:?}"))?;
    let token = credentials.access_token().await.map_err(|error| format!("{error:?}"))?;
    Ok(token.token)
}

async fn id_token(audience: &str) -> Result<String, String> {
    let credentials = idtoken::Builder::new(audience).build().map_err(|error| format!("{error:?}"))?;
    credentials.id_token().await.map_err(|error| format!("{error:?}"))
}

async fn gcp_auth(scopes: &[&str]) {
    let provider = gcp_auth::provider().await.expect("a provider");
    step("project", provider.project_id().await.map(|project| project.to_string()));
    step("accessToken", provider.token(scopes).await.map(|token| token.as_str().to_string()));
}

async fn yup_oauth2(scopes: &[&str]) {
    let options = ApplicationDefaultCredentialsFlowOpts::default();
    let found = ApplicationDefaultCredentialsAuthenticator::builder(options).await;
    let ApplicationDefaultCredentialsTypes::InstanceMetadata(builder) = found else {
        return step("detection", Err::<bool, _>("a service account's key"));
    };
    step("detection", Ok::<_, String>(true));
    let authenticator = builder.build().await.expect("an authenticator");
    let token = authenticator.token(scopes).await;
    step("scopes", token.map(|token| token.token().unwrap_or_default().to_string()));
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("the only one");
    let arguments: Vec<String> = env::args().collect();
    let asked: Value = serde_json::from_str(&arguments[2]).expect("what to ask");
    let scopes: Vec<String> = serde_json::from_value(asked["scopes"].clone()).expect("scopes");
    let names: Vec<&str> = scopes.iter().map(String::as_str).collect();
    version(&arguments[1]);
    match arguments[1].as_str() {
        "google-cloud-auth" => google_cloud_auth(&asked, &scopes).await,
        "gcp_auth" => gcp_auth(&names).await,
        "yup-oauth2" => yup_oauth2(&names).await,
        other => panic!("{other} is not known"),
    }
}
