// The load generator: sends requests over a few connections, each the next one when its answer is there.
//
// Reads {host, port, connections, seconds, requests, repeat} from standard input, where `requests` are whole HTTP/1.1
// requests, and prints {seconds, sent, statuses, refused, p50, p99, busy} as JSON. With `repeat` the requests go round
// until the time is up; without, each is sent once at most. What was sent is always answered before the end.
//
// It is this small so that it is never what is measured: the requests are rendered before the clock starts, an answer is
// read by its status and its length only, and times are kept to the microsecond. `busy` is the share of its core that
// the generator used: near 1 it was the bottleneck.
import { connect } from "node:net";
import { text } from "node:stream/consumers";

const HEAD_END = Buffer.from("\r\n\r\n");
const { host, port, connections, seconds, requests, repeat } = JSON.parse(await text(process.stdin));
const buffers = requests.map((request) => Buffer.from(request));
const latencies = [];
const statuses = {};
let sent = 0;
let refused = null;
let begin = 0;

function nextRequest() {
  const isOver = performance.now() - begin > seconds * 1000 || (!repeat && sent === buffers.length);
  return isOver ? null : buffers[sent++ % buffers.length];
}

// Returns the status and the body of a whole answer, or null if there is more to come.
function readAnswer(received) {
  const end = received.indexOf(HEAD_END);
  if (end < 0) return null;
  const head = received.latin1Slice(0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new Error(`an answer without a length: ${head}`);
  const bodyAt = end + HEAD_END.length;
  if (received.length < bodyAt + Number(length)) return null;
  return { status: head.slice(9, 12), body: received.subarray(bodyAt) };
}

function run(socket) {
  return new Promise((resolve, reject) => {
    let received = null;
    let sentAt = 0;
    function send() {
      const request = nextRequest();
      if (request === null) return socket.end(resolve);
      sentAt = performance.now();
      socket.write(request);
    }
    socket.on("data", (chunk) => {
      received = received === null ? chunk : Buffer.concat([received, chunk]);
      const answer = readAnswer(received);
      if (answer === null) return;
      latencies.push(performance.now() - sentAt);
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      if (answer.status !== "200") refused ??= answer.body.toString().slice(0, 500);
      received = null;
      send();
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the server closed the connection")));
    send();
  });
}

function open() {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true }, () => resolve(socket.off("error", reject)));
    socket.on("error", reject);
  });
}

const sockets = await Promise.all(Array.from({ length: connections }, open));
const used = process.cpuUsage();
begin = performance.now();
await Promise.all(sockets.map(run));
const wall = performance.now() - begin;
const { user, system } = process.cpuUsage(used);
latencies.sort((one, other) => one - other);
const percentile = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
console.log(
  JSON.stringify({
    seconds: wall / 1000,
    sent,
    statuses,
    refused,
    p50: percentile(0.5),
    p99: percentile(0.99),
    busy: (user + system) / 1000 / wall,
  }),
);
process.exit();
