import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { Copy } from "../ui/copy.tsx";
import { Choice, Field, Form } from "../ui/form.tsx";
import { Broken, Part, Wait } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { useFormat, useWords } from "../ui/words.tsx";
import { snippetFor } from "./snippets.ts";

type Source = Answer<typeof api.collect.source>;
const words = (text: string | undefined): string[] =>
  (text ?? "").split(/[\s,，;；]+/).filter((one) => one !== "");
const keeps = ["keep", "cut", "drop"] as const;

/** How a source speaks and what it is held to; only for whoever may run the house. */
export function SourceSettings({ source }: { source: string }) {
  const may = useMay();
  const { t } = useWords();
  const known = useCall(api.collect.source, may("house:write") ? { source } : undefined);
  if (!may("house:write")) return null;
  if (known.error) return <Broken error={known.error} again={known.refetch} />;
  if (!known.data)
    return (
      <Part title={t.sourceSettings.title} className="grows">
        <p>
          <Wait width={32} />
        </p>
      </Part>
    );
  return <Known of={known.data} key={known.data.id} />;
}

function Known({ of }: { of: Source }) {
  const { t } = useWords();
  const format = useFormat();
  const [protocol, setProtocol] = useState(of.protocol);
  const w = t.sourceSettings;
  const afterError: Partial<Record<Source["protocol"], string>> = w.afterError;
  return (
    <>
      <Part title={w.connect} says={w.connectSays}>
        <Copy lines text={snippetFor({ protocol, kind: of.kind }, location.origin)} />
        {afterError[protocol] && <p className="quiet">{afterError[protocol]}</p>}
      </Part>
      {of.refused.length > 0 && (
        <Part title={w.refused} says={w.refusedSays}>
          <ul>
            {of.refused.map(({ reason, count }) => (
              <li key={reason}>
                {t.named(t.rejections[reason] ?? t.rejectionUnknown, format.number(count))}
              </li>
            ))}
          </ul>
        </Part>
      )}
      <Part title={w.title} says={w.says}>
        <Settings of={of} protocol={protocol} choose={setProtocol} />
      </Part>
    </>
  );
}

type Chosen = {
  of: Source;
  protocol: Source["protocol"];
  choose: (protocol: Source["protocol"]) => void;
};
function Settings({ of, protocol, choose }: Chosen) {
  const { t } = useWords();
  const queries = useQueryClient();
  const others = useCall(api.collect.sources, {}).data?.sources ?? [];
  const [saved, setSaved] = useState(false);
  const w = t.sourceSettings;
  const { settings } = of;
  const servers = others.filter(({ id, kind }) => id !== of.id && kind !== "public");
  const act = async (values: Record<string, string>, key: string) => {
    await call(
      api.collect.changeSource,
      {
        source: of.id,
        protocol,
        shares: values["shares"] ? values["shares"] : null,
        disabled: values["disabled"] !== undefined,
        settings: {
          origins: words(values["origins"]),
          rate: { perSecond: Number(values["perSecond"]), burst: Number(values["burst"]) },
          consent: values["consent"]?.trim() ? values["consent"].trim() : null,
          bots: words(values["bots"]),
          staff: {
            networks: words(values["networks"]),
            users: words(values["users"]),
            domains: words(values["domains"]),
          },
          ip: keeps.find((one) => one === values["ip"]) ?? "cut",
        },
      },
      { key },
    );
    setSaved(true);
    await queries.invalidateQueries();
  };
  return (
    <Form className="form wide" button={w.save} act={act}>
      <Choice
        label={w.protocol}
        value={protocol}
        options={Object.entries(w.protocols).map(([value, label]) => ({ value, label }))}
        onChange={(value) => choose(value as Source["protocol"])}
      />
      <Choice
        label={w.shares}
        name="shares"
        value={of.shares ?? ""}
        options={[
          { value: "", label: w.sharesNone },
          ...servers.map(({ id, name }) => ({ value: id, label: name })),
        ]}
      />
      <p className="hint">{w.sharesSay}</p>
      {of.kind === "public" && (
        <Field
          label={w.origins}
          hint={w.originsSay}
          name="origins"
          defaultValue={settings.origins.join(" ")}
          placeholder="https://shop.example"
        />
      )}
      <Field
        label={w.perSecond}
        name="perSecond"
        required
        defaultValue={String(settings.rate.perSecond)}
      />
      <Field
        label={w.burst}
        hint={w.burstSays}
        name="burst"
        required
        defaultValue={String(settings.rate.burst)}
      />
      <Field
        label={w.consent}
        hint={w.consentSays}
        name="consent"
        maxLength={200}
        defaultValue={settings.consent ?? ""}
      />
      <Choice
        label={w.ip}
        name="ip"
        value={settings.ip}
        options={keeps.map((value) => ({ value, label: w.ips[value] }))}
      />
      <Field
        label={w.networks}
        hint={w.staffSays}
        name="networks"
        defaultValue={settings.staff.networks.join(" ")}
        placeholder="203.0.113.0/24"
      />
      <Field label={w.users} name="users" defaultValue={settings.staff.users.join(" ")} />
      <Field
        label={w.domains}
        name="domains"
        defaultValue={settings.staff.domains.join(" ")}
        placeholder="shop.example"
      />
      <Field label={w.bots} hint={w.botsSay} name="bots" defaultValue={settings.bots.join(" ")} />
      <fieldset className="checks">
        <legend>{w.state}</legend>
        <label>
          <input type="checkbox" name="disabled" defaultChecked={of.disabled} />
          <span>{w.disabled}</span>
        </label>
      </fieldset>
      {saved && <p role="status">{w.saved}</p>}
    </Form>
  );
}
