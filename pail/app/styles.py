"""The look of the page. Colors are the theme's, so that the dark one works, too; fonts are the system's."""

CSS = """
.gradio-container { max-width: 1560px !important; padding: 0 !important; overflow: visible !important; }
.gradio-container .main { padding: 10px 16px !important; max-width: none; }
footer { display: none !important; }
.gradio-container { --pail-soft: #4b5563; --block-info-text-color: var(--pail-soft);
  --block-title-text-color: var(--body-text-color); --block-label-text-color: var(--body-text-color); }
.dark .gradio-container, .gradio-container.dark { --pail-soft: #b3bac5; }
.gradio-container .pail-title { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere; }
.gradio-container h1.pail-title { font-size: 1.2rem; }
.pail-soft, .gradio-container figcaption { color: var(--pail-soft); font-size: .8rem; line-height: 1.35; }
.pail-soft { margin: 2px 0 0; }
.pail-error { border-left: 4px solid #c8322b; background: var(--background-fill-secondary); padding: 10px 12px;
  margin: 0; border-radius: 4px; overflow-wrap: anywhere; }
.gradio-container :focus-visible { outline: 3px solid #1456b8 !important; outline-offset: 1px; }
.gradio-container figure { margin: 0; min-width: 0; }
.gradio-container figure img { width: 100%; height: auto; display: block; border-radius: 4px; margin: 0; }
.gradio-container figcaption span { display: block; overflow-wrap: anywhere; }

#pail-bench { display: grid; grid-template-columns: minmax(300px, 380px) minmax(0, 1fr); gap: 16px;
  align-items: start;
  grid-template-areas: "controls result" "controls sheet"; grid-template-rows: auto 1fr; }
#pail-controls { grid-area: controls; position: sticky; top: 0; max-height: 100vh; overflow-y: auto; padding: 2px;
  flex-wrap: nowrap; }
#pail-controls > * { flex-shrink: 0; }
#pail-result { grid-area: result; }
#pail-sheet { grid-area: sheet; }
#pail-bench > * { min-width: 0 !important; width: 100%; }

.gradio-container .gr-group, .gradio-container .styler { background: var(--block-background-fill) !important; }
#pail-controls .gr-group .block:not(.hide-container) { padding: 8px 10px !important; }

.pail-strip { display: flex; gap: 6px; overflow-x: auto; padding: 4px; }
.pail-strip label { flex: none; width: 88px; cursor: pointer; position: relative; border-radius: 6px; padding: 3px;
  border: 2px solid transparent; }
.pail-strip input { position: absolute; opacity: 0; }
.pail-strip img, .pail-broken { width: 100%; height: 62px; object-fit: cover; border-radius: 4px;
  display: block; margin: 0; }
.pail-broken { background: var(--background-fill-secondary); font-size: .75rem; padding-top: 22px;
  text-align: center; }
.pail-strip span { display: block; font-size: .72rem; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
.pail-strip label:has(:checked) { border-color: #1456b8; background: var(--background-fill-secondary); }
.pail-strip label:has(:focus-visible) { outline: 3px solid #1456b8; }

.pail-techniques h4 { font-size: .8rem; margin: 8px 0 2px; color: var(--pail-soft); }
.pail-techniques label { display: flex; gap: 8px; align-items: baseline; padding: 3px 6px; border-radius: 5px;
  cursor: pointer;
  font-size: .82rem; line-height: 1.3; color: var(--pail-soft); }
.pail-techniques label b { color: var(--body-text-color); font-weight: 600; }
.pail-techniques label:has(:checked) { background: var(--background-fill-secondary);
  box-shadow: inset 3px 0 #1456b8; }
.pail-techniques input { accent-color: #1456b8; flex: none; }

.pail-handles { border: 0; margin: 0; padding: 8px 0; position: relative; min-width: 0; }
#pail-recipe textarea, #pail-python textarea, #pail-command textarea { font-family: ui-monospace, monospace;
  font-size: .8rem; }
.pail-handles legend { font-size: .85rem; font-weight: 600; padding: 0; float: left; line-height: 1.7;
  overflow-wrap: anywhere; }
.pail-handles.changed legend::after { content: " changed"; font-weight: 400; font-size: .75rem; color: #1456b8; }
.dark .pail-handles.changed legend::after { color: #8ab8ff; }
.pail-numbers { display: flex; gap: 4px; justify-content: flex-end; }
.pail-numbers input { width: 5.2em; font-size: .8rem; padding: 2px 4px; border: 1px solid var(--border-color-primary);
  border-radius: 4px; background: var(--input-background-fill); color: inherit; }
.pail-reset { border: 1px solid var(--border-color-primary); border-radius: 4px; padding: 0 7px; background: none;
  color: inherit; cursor: pointer; }
.pail-track { position: relative; height: 26px; margin: 4px 9px 0; clear: both; }
.pail-track::before, .pail-track::after { content: ""; position: absolute; top: 11px; height: 5px;
  border-radius: 3px; }
.pail-track::before { left: 0; right: 0; background: var(--border-color-primary); }
.pail-track::after { left: calc(100% * var(--from)); right: calc(100% * (1 - var(--to))); background: #1456b8; }
.pail-track i { position: absolute; top: 5px; width: 2px; height: 17px; margin-left: -1px;
  left: calc(100% * var(--at));
  background: var(--pail-soft); }
.pail-track input { position: absolute; z-index: 1; left: -9px; width: calc(100% + 18px); top: 3px;
  height: 20px; margin: 0;
  background: none; appearance: none; -webkit-appearance: none; pointer-events: none; }
.pail-track input::-webkit-slider-runnable-track { background: none; height: 20px; }
.pail-track input::-moz-range-track { background: none; }
.pail-track input::-webkit-slider-thumb { -webkit-appearance: none; pointer-events: auto; width: 18px;
  height: 18px; border-radius: 50%;
  background: #fff; border: 3px solid #1456b8; margin-top: 1px; cursor: grab; box-shadow: none; }
.pail-track input::-moz-range-thumb { pointer-events: auto; width: 12px; height: 12px; border-radius: 50%;
  background: #fff; border: 3px solid #1456b8; cursor: grab; }
.pail-handles.off .pail-track, .pail-handles.off .pail-numbers input { opacity: .35; }
.pail-word { display: inline-flex; gap: 6px; align-items: center; font-size: .82rem; cursor: pointer; }
.pail-word input, .pail-tools input { accent-color: #1456b8; }

.pail-result { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 1fr); gap: 10px; align-items: start; }
.pail-result > figure > img { max-height: 74vh; object-fit: contain; object-position: left top; }
.pail-parts { display: grid; gap: 8px; }
.pail-parts img { max-height: 23vh; object-fit: contain; object-position: left top; }
.pail-sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(160px, 1fr)); gap: 10px; }
.pail-empty { aspect-ratio: 4 / 3; background: var(--background-fill-secondary); border-radius: 4px; }

.pail-paint { display: grid; gap: 6px; }
.pail-canvas { position: relative; line-height: 0; border-radius: 4px; overflow: hidden; }
.pail-canvas img { width: 100%; margin: 0; }
.pail-canvas canvas { position: absolute; inset: 0; width: 100%; height: 100%; opacity: .5; touch-action: none;
  cursor: crosshair; }
.pail-cursor { position: absolute; width: 14px; height: 14px; margin: -7px; border: 2px solid #fff;
  border-radius: 50%;
  box-shadow: 0 0 0 2px #000; pointer-events: none; display: none; }
.pail-canvas canvas:focus-visible + .pail-cursor { display: block; }
.pail-tools { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; font-size: .82rem; }
.pail-tools label { display: inline-flex; gap: 6px; align-items: center; }
.pail-tools input[type=range] { width: 90px; }
.pail-tools button, .pail-row button { border: 1px solid var(--border-color-primary); border-radius: 5px;
  padding: 2px 10px;
  background: none; color: inherit; cursor: pointer; font-size: .82rem; }

.pail-row { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; padding: 6px 0; font-size: .85rem;
  border-bottom: 1px solid var(--border-color-primary); }
.pail-row div { flex: 1 1 200px; }
.pail-row div span { display: block; color: var(--pail-soft); font-size: .8rem; overflow-wrap: anywhere; }
.pail-row input { width: 5em; padding: 2px 4px; border: 1px solid var(--border-color-primary); border-radius: 4px;
  background: var(--input-background-fill); color: inherit; }

@media (max-width: 820px) {
  .gradio-container .main { padding: 8px !important; }
  #pail-bench { display: flex; flex-direction: column; align-items: stretch; }
  #pail-controls { position: static; max-height: none; order: 2; }
  #pail-sheet { order: 3; }
  #pail-result { position: sticky; top: 0; z-index: 50; background: var(--body-background-fill); padding: 4px 0; }
  .pail-result > figure > img { max-height: 32vh; }
  .pail-parts { gap: 4px; }
  .pail-parts figcaption { display: none; }
  .pail-parts img { max-height: 10vh; }
  .pail-sheet { grid-template-columns: 1fr 1fr; }
}
"""
