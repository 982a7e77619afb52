// Profiles in SQLite, by better-sqlite3: prepared statements, one transaction a token, each of which waits for the disk.
import { randomUUID } from "node:crypto";
import Database from "better-sqlite3";
import { identifiersOf, merge, RECEIPT_MARGIN_SECONDS } from "./merging.mjs";

const TABLES = `
  CREATE TABLE profiles (
    id TEXT PRIMARY KEY, auth0_user_id TEXT NOT NULL UNIQUE, email TEXT, properties TEXT NOT NULL, modified_at INTEGER NOT NULL
  );
  CREATE INDEX profiles_email ON profiles (email);
  CREATE INDEX profiles_modified_at_id ON profiles (modified_at, id);
  CREATE TABLE receipts (digest BLOB PRIMARY KEY, outcome TEXT NOT NULL, keep_until INTEGER NOT NULL);
  CREATE INDEX receipts_keep_until ON receipts (keep_until);
`;

export function openStore(file) {
  const database = new Database(file);
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.exec(TABLES);
  const earlier = database.prepare("SELECT outcome FROM receipts WHERE digest = ?").pluck();
  const findByUserId = database.prepare("SELECT id, properties FROM profiles WHERE auth0_user_id = ?");
  const findByEmail = database.prepare("SELECT id, properties FROM profiles WHERE email = ? LIMIT 1");
  const insert = database.prepare(
    "INSERT INTO profiles (id, auth0_user_id, email, properties, modified_at) VALUES (?, ?, ?, ?, ?)",
  );
  const update = database.prepare(
    "UPDATE profiles SET auth0_user_id = ?, email = ?, properties = ?, modified_at = ? WHERE id = ?",
  );
  const keepReceipt = database.prepare("INSERT INTO receipts (digest, outcome, keep_until) VALUES (?, ?, ?)");

  const apply = database.transaction((claims, digest) => {
    const { userId, email } = identifiersOf(claims);
    const profile = findByUserId.get(userId) ?? (email === null ? undefined : findByEmail.get(email));
    const id = profile?.id ?? randomUUID();
    const { properties, updated } = merge(profile ? JSON.parse(profile.properties) : {}, claims);
    if (profile) update.run(userId, email, JSON.stringify(properties), Date.now(), id);
    else insert.run(id, userId, email, JSON.stringify(properties), Date.now());
    const outcome = { state: profile ? "MODIFIED" : "CREATED", profileId: id, updated };
    keepReceipt.run(digest, JSON.stringify(outcome), claims.exp + RECEIPT_MARGIN_SECONDS);
    return outcome;
  });

  // This process is the only writer and never waits in between: a token without a receipt has none until it is applied.
  function sync(claims, digest) {
    const known = earlier.get(digest);
    return known ? JSON.parse(known) : apply.immediate(claims, digest);
  }

  return { sync };
}
