import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Autocomplete } from "react-aria-components/Autocomplete";
import { Dialog } from "react-aria-components/Dialog";
import { Menu, MenuItem } from "react-aria-components/Menu";
import { Modal, ModalOverlay } from "react-aria-components/Modal";
import { Input, TextField } from "react-aria-components/TextField";
import { api, call, Problem } from "./call.ts";
import { useMay, useSelf } from "./session.tsx";
import { opens, places } from "./shell.tsx";
import { useWords } from "./words.tsx";

type Item = { id: string; label: string; note: string; run: () => Promise<unknown> };

/** Every page, every member by e-mail, every event by its id: ⌘K and a few letters. */
export default function Palette({ close }: { close: () => void }) {
  const { t, language, speak } = useWords();
  const may = useMay();
  const self = useSelf();
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const [says, setSays] = useState("");
  const asked = text.trim();

  const pages: Item[] = places.flatMap(({ group, places: inGroup }) =>
    inGroup.filter(opens(self)).map(({ to, word }) => ({
      id: to,
      label: t.nav[word],
      note: group === "top" ? "" : t.groups[group],
      run: () => navigate({ to }),
    })),
  );
  const items = pages.filter(({ label, id }) =>
    `${label} ${id}`.toLowerCase().includes(asked.toLowerCase()),
  );
  if (/^\S+@\S+$/.test(asked) && may("members:find"))
    items.push({
      id: "find",
      label: t.palette.member(asked),
      note: t.nav.members,
      run: async () => {
        const { personId } = await call(api.people.find, { email: asked });
        await navigate({ to: "/members/$person", params: { person: personId } });
      },
    });
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(asked)) {
    if (may("trace:read"))
      items.push({
        id: "trace",
        label: t.palette.event(asked),
        note: t.nav.trace,
        run: () => navigate({ to: "/trace", search: { event: asked } }),
      });
    if (may("members:read"))
      items.push({
        id: "person",
        label: t.palette.person(asked),
        note: t.nav.members,
        run: () => navigate({ to: "/members/$person", params: { person: asked } }),
      });
  }
  const other = language === "zh" ? "en" : "zh";
  if (asked === "" || t.palette.speak.toLowerCase().includes(asked.toLowerCase()))
    items.push({ id: "speak", label: t.palette.speak, note: t.language, run: () => speak(other) });

  const choose = async (id: string) => {
    try {
      await items.find((item) => item.id === id)?.run();
      close();
    } catch (thrown) {
      setSays(
        thrown instanceof Problem && thrown.code === "people.unknown"
          ? t.members.notFound
          : thrown instanceof Problem && thrown.message
            ? thrown.message
            : t.broken.away,
      );
    }
  };
  return (
    <ModalOverlay className="veil" isOpen isDismissable onOpenChange={(open) => !open && close()}>
      <Modal className="palette">
        <Dialog aria-label={t.palette.open}>
          <Autocomplete inputValue={text} onInputChange={setText}>
            <TextField aria-label={t.palette.open} autoFocus>
              <Input placeholder={t.palette.placeholder} />
            </TextField>
            <p role="status" className="status">
              {says}
            </p>
            <Menu
              aria-label={t.palette.results}
              items={items}
              onAction={(id) => void choose(String(id))}
              renderEmptyState={() => <p className="quiet">{t.palette.none}</p>}
            >
              {(item) => (
                <MenuItem id={item.id} textValue={item.label}>
                  <span>{item.label}</span>
                  <small>{item.note}</small>
                </MenuItem>
              )}
            </Menu>
          </Autocomplete>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
