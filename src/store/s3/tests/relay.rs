//! A tiny HTTP relay in front of moto that does what moto cannot: lose answers, refuse, be slow, talk HTML.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::moto;

/// What happens to one request.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// The connection is closed before anything is done.
    LoseRequest,
    /// It is done, and the connection closed without an answer.
    LoseAnswer,
    /// Pages of two are asked for, and come in reverse order.
    Pages,
    /// It is done, and half of the answer sent.
    CutAnswer,
    /// It is done, and the answer comes after this time.
    Late(Duration),
    /// It is not done; this is the answer.
    Answer(&'static str),
    /// It is done, and in the answer this text is replaced by that.
    Replace(&'static str, &'static str),
}

type Rule = dyn FnMut(&str) -> Option<Fault> + Send;

/// The relay; ends with the runtime.
pub(super) struct Relay {
    pub(super) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    /// `rule` sees each request's method and path and says what happens to it.
    pub(super) async fn start(rule: impl FnMut(&str) -> Option<Fault> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let rule: Arc<Mutex<Box<Rule>>> = Arc::new(Mutex::new(Box::new(rule)));
        let heard = Arc::clone(&requests);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (rule, heard) = (Arc::clone(&rule), Arc::clone(&heard));
                // A connection that breaks is what this is for.
                tokio::spawn(async move { serve(stream, &rule, &heard).await.ok() });
            }
        });
        Self { port, requests }
    }

    /// Method and path of all requests so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    rule: &Mutex<Box<Rule>>,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut request = read_request(&mut stream).await?;
    let text = String::from_utf8_lossy(&request);
    let line = text.lines().next().unwrap_or_default();
    let line = line.trim_end_matches(" HTTP/1.1").to_owned();
    heard.lock().unwrap().push(line.clone());
    let fault = rule.lock().unwrap()(&line);
    match &fault {
        Some(Fault::LoseRequest) => return Ok(()),
        Some(Fault::Answer(answer)) => return stream.write_all(answer.as_bytes()).await,
        Some(Fault::Pages) => {
            let text = String::from_utf8(request).unwrap();
            request = text.replace("max-keys=1000", "max-keys=2").into_bytes();
        }
        _ => {}
    }
    let mut upstream = TcpStream::connect(("127.0.0.1", moto::port())).await?;
    upstream.write_all(&request).await?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).await?;
    match fault {
        Some(Fault::LoseAnswer) => return Ok(()),
        Some(Fault::CutAnswer) => answer.truncate(answer.len() - answer.len().min(40)),
        Some(Fault::Pages) => answer = reversed(&answer),
        Some(Fault::Late(time)) => tokio::time::sleep(time).await,
        Some(Fault::Replace(old, new)) => {
            let text = String::from_utf8_lossy(&answer).into_owned();
            let start = text.find(old).expect("the answer has the text");
            let end = start + text[start..].find("\r\n").unwrap();
            answer = format!("{}{new}{}", &text[..start], &text[end..]).into_bytes();
        }
        _ => {}
    }
    stream.write_all(&answer).await?;
    stream.shutdown().await
}

/// A list's page with its objects in reverse order.
fn reversed(answer: &[u8]) -> Vec<u8> {
    const END: &str = "</Contents>";
    let text = std::str::from_utf8(answer).unwrap();
    let (Some(start), Some(end)) = (text.find("<Contents>"), text.rfind(END)) else {
        return answer.to_vec();
    };
    let mut objects: Vec<_> = text[start..end + END.len()].split_inclusive(END).collect();
    objects.reverse();
    format!(
        "{}{}{}",
        &text[..start],
        objects.concat(),
        &text[end + END.len()..]
    )
    .into_bytes()
}

/// One whole request, which asks for its connection to be closed.
async fn read_request(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let head = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |value| value.trim().parse::<usize>().unwrap());
    while bytes.len() < head + 4 + length {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let mut request = bytes[..head].to_vec();
    request.extend_from_slice(b"\r\nconnection: close\r\n\r\n");
    request.extend_from_slice(&bytes[head + 4..]);
    Ok(request)
}

/// An answer with an error document.
macro_rules! refusal {
    ($status:literal, $code:literal) => {
        concat!(
            "HTTP/1.1 ",
            $status,
            "\r\nx-amz-request-id: r1\r\ncontent-type: application/xml\r\nconnection: close\r\n\r\n",
            "<?xml version=\"1.0\"?><Error><Code>",
            $code,
            "</Code><Message>",
            $code,
            " it is</Message></Error>"
        )
    };
}
pub(super) use refusal;
