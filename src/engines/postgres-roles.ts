import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";

/**
 * What PostgreSQL keeps of a password, so that the password itself is in no statement and no log
 * (RFC 5802, section 3, with SHA-256 as in RFC 7677; the textual form is PostgreSQL's).
 */
export function scramVerifier(password: string, salt = randomBytes(16), rounds = 4096): string {
  const salted = pbkdf2Sync(password, salt, rounds, 32, "sha256");
  const clientKey = createHmac("sha256", salted).update("Client Key").digest();
  const storedKey = createHash("sha256").update(clientKey).digest("base64");
  const serverKey = createHmac("sha256", salted).update("Server Key").digest("base64");
  return `SCRAM-SHA-256$${rounds}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}

/**
 * The statements, one a line, that a new cluster is set up with. The owner may make databases (tests clone one from a
 * template) but is no superuser; the program's role may connect and nothing else, until a migration grants more.
 */
export function setupStatements(ownerPassword: string, appPassword: string): string {
  return [
    "create role liuke_owner login createdb",
    "create role liuke_app login",
    "create database liuke owner liuke_owner",
    "revoke all on database liuke from public",
    "grant connect on database liuke to liuke_app",
    "revoke connect on database postgres from public",
    "grant connect on database postgres to liuke_owner",
    "alter role liuke_setup nologin",
    passwordStatements(ownerPassword, appPassword),
  ].join("\n");
}

/** The statements that give both roles their passwords. */
export function passwordStatements(ownerPassword: string, appPassword: string): string {
  return [
    `alter role liuke_owner password '${scramVerifier(ownerPassword)}'`,
    `alter role liuke_app password '${scramVerifier(appPassword)}'`,
    "",
  ].join("\n");
}
