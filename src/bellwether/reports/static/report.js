const form = document.querySelector(".filters");
const rows = [...document.querySelectorAll("#flags tbody tr")];
const words = rows.map((row) => row.textContent.toLowerCase());
const told = form && form.querySelector("output");
function sift() {
  const text = form.elements.text.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const { level, kind } = form.elements;
  let shown = 0;
  rows.forEach((row, i) => {
    const fits = text.every((word) => words[i].includes(word))
      && (!level.value || row.dataset.level === level.value)
      && (!kind.value || row.dataset.kind === kind.value);
    row.hidden = !fits;
    shown += fits;
  });
  told.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} shown`;
}
if (form) {
  form.addEventListener("input", sift);
  form.addEventListener("submit", (event) => event.preventDefault());
  sift();
}
