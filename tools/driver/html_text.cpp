// See html_text.h.
#include "tools/driver/html_text.h"

namespace tarn {

std::string html_text(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '&') {
      result += "&amp;";
    } else if (c == '<') {
      result += "&lt;";
    } else if (c == '"') {
      result += "&quot;";
    } else {
      result += c;
    }
  }
  return result;
}

const char* const kPageStyle = R"(
:root{color-scheme:light dark;--paper:#fff;--ink:#222;--faint:#666;--line:#ddd;--training:#1f6fb4;--validation:#b8500f;
--right:31,111,180;--wrong:214,96,20}
@media(prefers-color-scheme:dark){:root{--paper:#16181c;--ink:#e3e5e8;--faint:#9aa1aa;--line:#373b42;--training:#6cb0ee;
--validation:#f0a05a;--right:70,140,215;--wrong:225,110,40}}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:var(--ink);
background:var(--paper)}
h2{font-size:1.05rem;margin:2rem 0 .3rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.1rem .8rem .1rem 0;text-align:right}
th:first-child,td:first-child{text-align:left}
.pairs th:nth-child(2),.pairs td:nth-child(2){text-align:left}
svg{max-width:100%;height:auto}
.grid{stroke:var(--line)}
.axis{fill:var(--faint);font-size:11px}
.training{stroke:var(--training);color:var(--training)}
.validation{stroke:var(--validation);color:var(--validation)}
path,circle{fill:none;stroke-width:1.6}
circle{fill:currentColor}
.key{font-size:.85rem;margin:0}
.key span{stroke:none;margin-right:1rem}
.matrix{font-size:.85rem;margin:.5rem 0}
.matrix th{font-weight:normal;padding:.2rem .5rem;vertical-align:bottom}
.matrix td{padding:.25rem .5rem;min-width:1.8rem;white-space:nowrap;border:1px solid var(--line)}
.matrix td:first-child{text-align:right}
.matrix .side{text-align:left;position:sticky;left:0;background:var(--paper)}
.matrix .over{text-align:left;color:var(--faint)}
.matrix .sum{border:0;color:var(--faint)}
.matrix .none{color:var(--faint)}
.matrix .right{background:rgba(var(--right),calc(.08 + .62*var(--share)));font-weight:600}
.matrix .wrong{background:rgba(var(--wrong),calc(.12 + .68*var(--share)))}
.matrix .upright span{writing-mode:vertical-rl;transform:rotate(180deg)}
.samples{display:flex;flex-wrap:wrap;gap:.8rem;margin:.5rem 0;padding:0}
.samples figure{margin:0;width:6rem;font-size:.8rem;line-height:1.3;overflow-wrap:anywhere}
.samples img{width:6rem;height:6rem;object-fit:contain;image-rendering:pixelated;background:var(--line);
border-bottom:4px solid rgb(var(--right))}
.samples .missed img{border-color:rgb(var(--wrong))}
)";

}  // namespace tarn
