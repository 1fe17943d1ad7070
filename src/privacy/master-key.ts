// The key that everything personal hangs on: 32 bytes in a file that only its owner reads, in no database and no log.
// Beside it, what a role must not be able to do before the program works under it.
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { link, mkdir, open, unlink, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { sameBytes, type Keys } from "#kernel/crypto.ts";
import { readInstallation, writeInstallationOnce } from "#kernel/installation.ts";
import type { Sql } from "#kernel/sql.ts";
import { about } from "./rules.ts";
import { anyKey } from "./store.ts";

const keyBytes = 32;

/** Start ends here, with one sentence in each language that says what to do. */
const refuse = (zh: string, en: string): never => {
  throw new Error(`${zh}\n${en}`, { cause: "master-key" });
};

/**
 * The master key's 32 bytes. `file` is where the operator keeps it. Without one, and with a database of our own, it is
 * `master.key` under `home`, made at first start; with another's database it is demanded.
 */
export async function masterKey({
  file,
  home,
  embedded,
}: {
  file: string | null;
  home: string;
  embedded: boolean;
}): Promise<Buffer> {
  if (file === null && !embedded)
    return refuse(
      "使用外部数据库时，请用 LIUKE_MASTER_KEY_FILE 指定主密钥文件。",
      "With a database of your own, name the master key's file in LIUKE_MASTER_KEY_FILE.",
    );
  const path = file ?? join(home, "master.key");
  const kept = await read(path);
  if (kept) return kept;
  if (file !== null)
    return refuse(
      `主密钥文件不存在：${path}。第一次启动前先生成：head -c 32 /dev/urandom > 文件 && chmod 600 文件`,
      `There is no master key at ${path}. Before the first start, make one: head -c 32 /dev/urandom > FILE && chmod 600 FILE`,
    );
  await make(path);
  return (await read(path))!;
}

async function read(path: string): Promise<Buffer | null> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (thrown) {
    if ((thrown as { code?: string }).code === "ENOENT") return null;
    throw thrown;
  }
  try {
    // Of the file that is open, not of the name: what was looked at is what is read.
    const { mode, size } = await file.stat();
    if ((mode & constants.S_IFMT) !== constants.S_IFREG)
      refuse(`主密钥 ${path} 不是普通文件。`, `The master key ${path} is not a plain file.`);
    if ((mode & 0o077) !== 0)
      refuse(
        `主密钥文件 ${path} 可以被其他用户访问（权限 ${shown(mode)}）。请执行：chmod 600 ${path}`,
        `Others may read the master key's file ${path} (mode ${shown(mode)}). Run: chmod 600 ${path}`,
      );
    if (size !== keyBytes)
      refuse(
        `主密钥文件 ${path} 应为 ${keyBytes} 字节，实际 ${size} 字节。请放回原来的文件，不要新建：换了密钥，已加密的数据就打不开了。`,
        `The master key's file ${path} must be ${keyBytes} bytes and is ${size}. Put the original back and make no new one: another key opens nothing that this one sealed.`,
      );
    return await file.readFile();
  } finally {
    await file.close();
  }
}
const shown = (mode: number) => (mode & 0o777).toString(8).padStart(4, "0");

/** Whole or not at all, also through a power cut; where two starts make one at once, the first one's stays. */
async function make(path: string): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const file = await open(draft, "wx", 0o600);
  try {
    await file.writeFile(randomBytes(keyBytes));
    await file.chmod(0o600);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
  } catch (thrown) {
    if ((thrown as { code?: string }).code !== "EEXIST") throw thrown;
  } finally {
    await unlink(draft);
  }
  const names = await open(folder, "r");
  await names.sync().finally(() => names.close());
}

const checkName = "master_key_check";
/** The database holds only the key's check value; the first start writes it, and no other key is let near the data. */
export async function checkMasterKey(sql: Sql, keys: Keys): Promise<void> {
  const kept = await readInstallation<string>(sql, checkName);
  if (kept === null && (await opensWhatIsThere(sql, keys)))
    await writeInstallationOnce(sql, checkName, keys.check.toString("hex"));
  const check = kept ?? (await readInstallation<string>(sql, checkName)) ?? "";
  if (!sameBytes(Buffer.from(check, "hex"), keys.check))
    refuse(
      "主密钥和这个数据库不匹配。请使用建库时的主密钥文件，换一把密钥打不开已加密的数据。",
      "This database was made with another master key. Use the file it was made with: no other key opens what was sealed.",
    );
}
/** A check value that went missing is not written anew by a key that opens nothing. */
async function opensWhatIsThere(sql: Sql, keys: Keys): Promise<boolean> {
  const [row] = await anyKey(sql);
  if (!row) return true;
  try {
    keys.unwrap(row.wrapped, about("privacy_node_key", "wrapped", row.nodeId));
    return true;
  } catch {
    return false;
  }
}

export type Role = {
  name: string;
  superuser: boolean;
  bypass: boolean;
  roles: boolean;
  replication: boolean;
  owned: string | null;
  altered: string | null;
  migrated: boolean;
  granted: boolean;
};
/**
 * The role of DATABASE_URL, and whatever role it could become: it owns no table, rules no role and cannot alter the
 * audit. Throws one sentence for the first thing that is not so.
 */
export async function checkRole(sql: Sql): Promise<void> {
  const [role] = await sql<[Role]>`
    with mine as (
      select * from pg_roles where pg_has_role(session_user, oid, 'member')
    ), tables as (
      select c.oid, c.relname, c.relowner from pg_class c
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S')
    )
    select session_user::text as name, bool_or(rolsuper) as superuser,
      bool_or(rolbypassrls) as bypass, bool_or(rolcreaterole) as roles,
      bool_or(rolreplication) as replication,
      (select min(relname::text) from tables t where t.relowner in (select oid from mine)) as owned,
      (select min(relname::text) from tables t where relname in ('audit', 'audit_seal') and
        (has_table_privilege(session_user, t.oid, 'delete, truncate, trigger')
          or has_any_column_privilege(session_user, t.oid, 'update'))) as altered,
      to_regclass('public.audit_seal') is not null as migrated,
      coalesce(has_table_privilege(session_user, to_regclass('public.audit_seal'), 'insert'), false)
        as granted
    from mine`;
  judgeRole(role);
}
/** Throws the sentence for the first thing that is not as it must be. */
export function judgeRole(role: Role): void {
  const { name, superuser, bypass, roles, replication, owned, altered, migrated, granted } = role;
  if (superuser)
    refuse(
      `DATABASE_URL 的角色 ${name} 是超级用户。请换成 liuke_app 这样的普通角色。`,
      `The role ${name} of DATABASE_URL is a superuser. Use a plain one, as liuke_app is.`,
    );
  if (owned !== null)
    refuse(
      `DATABASE_URL 的角色 ${name} 拥有表 ${owned}。建表的角色请放在 DATABASE_OWNER_URL，程序用的角色不能拥有表。`,
      `The role ${name} of DATABASE_URL owns the table ${owned}. The owner belongs in DATABASE_OWNER_URL; the program's role owns no table.`,
    );
  if (bypass)
    refuse(
      `DATABASE_URL 的角色 ${name} 可以绕过行级安全（BYPASSRLS），请去掉这项权限。`,
      `The role ${name} of DATABASE_URL may pass by row security (BYPASSRLS). Take that away.`,
    );
  if (roles)
    refuse(
      `DATABASE_URL 的角色 ${name} 可以创建角色（CREATEROLE），请去掉这项权限。`,
      `The role ${name} of DATABASE_URL may make roles (CREATEROLE). Take that away.`,
    );
  if (replication)
    refuse(
      `DATABASE_URL 的角色 ${name} 可以复制整个数据库（REPLICATION），请去掉这项权限。`,
      `The role ${name} of DATABASE_URL may copy the whole server (REPLICATION). Take that away.`,
    );
  if (!migrated)
    refuse(
      "数据库里还没有 Liuke 的表。请设置 DATABASE_OWNER_URL 后运行 liuke migrate。",
      "The database has no tables of Liuke yet. Set DATABASE_OWNER_URL and run liuke migrate.",
    );
  if (altered !== null)
    refuse(
      `DATABASE_URL 的角色 ${name} 可以改动审计表 ${altered}。请收回它的 UPDATE、DELETE、TRUNCATE 和 TRIGGER 权限。`,
      `The role ${name} of DATABASE_URL may alter the audit (${altered}). Revoke UPDATE, DELETE, TRUNCATE and TRIGGER.`,
    );
  if (!granted)
    refuse(
      `DATABASE_URL 的角色 ${name} 用不了 Liuke 的表。请执行：grant liuke_app to ${name}`,
      `The role ${name} of DATABASE_URL may not use Liuke's tables. Run: grant liuke_app to ${name}`,
    );
}
