// What an operator can say about a person as a whole.
import { html, useEffect, useState } from "../vendor/htm-preact-3.1.1.js";
import { base, del, post } from "../api.js";
import { texts } from "../texts.js";
import { Crop, labelOf } from "./person.js";
import { Picker } from "./picker.js";
import { act, toast } from "./toast.js";

const own = texts.person;

export function Actions({ person, go, onClose }) {
  const [asking, setAsking] = useState("");
  const [text, setText] = useState("");
  const [other, setOther] = useState(null); // whom to merge with, once chosen
  const ask = (what, initial = "") => { setAsking(asking === what ? "" : what); setText(initial); setOther(null); };
  const close = () => ask("");
  useEffect(close, [person.id]);
  const name = (event) => {
    event.preventDefault();
    const said = text.trim();
    close();
    act(said ? texts.said.named(person.id, said) : texts.said.unnamed(person.id), () => post(`v1/identities/${person.id}/name`, { name: said }));
  };
  const tag = (event) => {
    event.preventDefault();
    const tags = text.split(",").map((one) => one.trim()).filter(Boolean);
    close();
    act(own.tagged(person.id, tags), () => post(`v1/identities/${person.id}/tags`, { tags }));
  };
  const merge = (keep) => {
    close();
    act(texts.said.merged([person.id, other.id]), () => post(`v1/identities/${person.id}/merge`, { with: [other.id], keep_picture: keep }));
  };
  const tellApart = (one) => {
    close();
    act(texts.said.different(person.id, one.id), () => post(`v1/identities/${person.id}/different`, { from: one.id }));
  };
  const hide = () => act(person.hidden ? texts.said.shown(person.id) : texts.said.hidden(person.id), () => post(`v1/identities/${person.id}/hide`, { hidden: !person.hidden }));
  const erase = async () => {
    close();
    try {
      const said = await del(`v1/identities/${person.id}`);
      toast(own.erased(said.erasure?.digest ?? said.id));
      onClose ? onClose() : go("people");
    } catch (error) {
      toast(error.message, { bad: true });
    }
  };
  const track = person.picture ?? person.crops[0];
  return html`<div class="actions">
    <button data-needs="operator" onClick=${() => ask("name", person.name ?? "")}>${person.name ? own.name : own.noName}</button>
    <button data-needs="operator" onClick=${() => ask("tags", person.tags.join(", "))}>${person.tags.length ? own.tags : own.noTags}</button>
    <button data-needs="operator" aria-expanded=${asking === "merge"} onClick=${() => ask("merge")}>${own.merge}</button>
    <button data-needs="operator" aria-expanded=${asking === "apart"} onClick=${() => ask("apart")}>${own.apart}</button>
    <button disabled=${!track} onClick=${() => go(`search/track/${encodeURIComponent(track)}`)}>${texts.search.fromTrack}</button>
    <button data-needs="operator" onClick=${hide}>${person.hidden ? own.show : own.hide}</button>
    <a data-needs="operator" class="button" download href=${new URL(`v1/identities/${person.id}/export`, base).href} title=${own.exportHelp}>${own.export}</a>
    <button data-needs="admin" class="danger" onClick=${() => ask("erase")}>${own.erase}</button>
    ${asking === "name" && html`<form onSubmit=${name}><input aria-label=${own.name} autofocus maxlength="100" value=${text} onInput=${(e) => setText(e.target.value)} /><button class="primary">${own.name}</button></form>`}
    ${asking === "tags" && html`<form onSubmit=${tag}><input aria-label=${own.tagsHelp} autofocus placeholder=${own.tagsHelp} value=${text} onInput=${(e) => setText(e.target.value)} /><button class="primary">${own.tags}</button></form>`}
    ${asking === "merge" && !other && html`<${Picker} title=${own.merge} person=${person} choose=${setOther} cancel=${close} />`}
    ${asking === "merge" && other && html`<${Merging} person=${person} other=${other} merge=${merge} cancel=${close} />`}
    ${asking === "apart" && html`<${Picker} title=${own.apart} person=${person} choose=${tellApart} cancel=${close} />`}
    ${asking === "erase" && html`<div class="ask" role="alertdialog" aria-label=${own.erase}><p>${own.eraseAsk}</p><button class="danger solid" onClick=${erase}>${own.erase}</button> <button onClick=${close}>${texts.cameras.cancel}</button></div>`}
  </div>`;
}

// Both pictures, one of which is kept.
function Merging({ person, other, merge, cancel }) {
  const [kept, setKept] = useState(person.id);
  return html`<form class="panel merging" onSubmit=${(event) => { event.preventDefault(); merge(kept); }} onKeyDown=${(event) => event.key === "Escape" && (event.stopPropagation(), cancel())}>
    <p>${own.mergeAsk(labelOf(other), labelOf(person))}</p>
    <fieldset><legend>${own.keepPicture}</legend>
      ${[person, other].map((one) => html`<label key=${one.id}>
        <${Crop} tracklet=${one.picture ?? one.crops[0]} label="" />
        <span><input type="radio" name="kept" checked=${kept === one.id} onChange=${() => setKept(one.id)} /> ${labelOf(one)}</span></label>`)}
    </fieldset>
    <div class="buttons"><button class="primary" autofocus>${texts.people.merge}</button> <button type="button" onClick=${cancel}>${texts.cameras.cancel}</button></div>
  </form>`;
}
