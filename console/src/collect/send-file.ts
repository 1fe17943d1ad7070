// A file goes up in parts, each an act of its own: what was cut off goes on from what the server has.
import { api, call, Problem } from "../ui/call.ts";
import { storedLanguage } from "../ui/language.ts";

/** By which the same file is known again. */
export const markOf = ({ name, size, lastModified }: File): string =>
  `${name}|${size}|${lastModified}`.slice(-200);
const partBytes = 4 * 1024 * 1024;
const tries = 5;

/** Sends what the server does not have yet; `tell` hears which part of it has come, of 1. */
export async function sendFile(
  file: File,
  id: string,
  tell: (part: number) => void,
): Promise<void> {
  let failed = 0;
  let received = (await call(api.exchange.file, { file: id })).received;
  while (received < file.size) {
    tell(received / file.size);
    try {
      const answer = await fetch(`/v1/imports/files/${id}/bytes?offset=${received}`, {
        method: "PUT",
        headers: {
          "content-type": "application/octet-stream",
          "accept-language": storedLanguage(),
        },
        credentials: "same-origin",
        body: file.slice(received, received + partBytes),
      });
      const body = (await answer.json()) as { received?: number; code?: string; title?: string };
      if (!answer.ok && body.code !== "exchange.offset")
        throw new Problem(answer.status, body.code ?? "away", body.title ?? "");
      received = body.received ?? received;
      failed = 0;
    } catch (thrown) {
      // What the server refuses it refuses again; a lost connection is tried a few times, from where it stands.
      if ((thrown instanceof Problem && thrown.status < 500) || ++failed >= tries) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 1000 * failed));
      received = (await call(api.exchange.file, { file: id })).received;
    }
  }
  tell(1);
}
