"use strict";
// A map of one scene in Web Mercator: two layers of tiles, the right one shown to the right of a border that is dragged.
// Places are pixels of the world at zoom 0, where it is SIDE pixels wide.

const SIDE = 256, CLOSER = 4; // zooms beyond that of the scene, at which its pixels are enlarged
const $ = (id) => document.getElementById(id);
const map = $("map"), swipe = $("swipe");
const layers = [{ box: $("before"), select: $("left"), name: $("leftname") },
                { box: $("after"), select: $("right"), name: $("rightname") }];
const view = { x: 0, y: 0, zoom: 0, border: 0.5 };
let scene, low, high; // corners of the scene: upper left, lower right

function place(lon, lat) {
  const sine = Math.sin(lat * Math.PI / 180);
  return { x: SIDE * (lon / 360 + 0.5), y: SIDE * (0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) };
}

function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}

function draw() {
  const { clientWidth: width, clientHeight: height } = map;
  const z = clamp(Math.round(view.zoom), 0, scene.zooms[1]);
  const scale = 2 ** view.zoom, side = SIDE * 2 ** (view.zoom - z); // of a tile on the screen
  const left = view.x * scale - width / 2, top = view.y * scale - height / 2;
  const reach = (from, extent, a, b) => [ // tiles on the screen that the scene has
    Math.max(Math.floor(from / side), Math.floor(a * 2 ** z / SIDE)),
    Math.min(Math.floor((from + extent) / side), Math.ceil(b * 2 ** z / SIDE) - 1)];
  const [x0, x1] = reach(left, width, low.x, high.x), [y0, y1] = reach(top, height, low.y, high.y);
  for (const { box, select } of layers) {
    const old = new Map(Array.from(box.children, (image) => [image.dataset.tile, image]));
    for (let y = y0; y <= y1; y++) for (let x = x0; x <= x1; x++) {
      const tile = `${select.value}/${z}/${x}/${y}`;
      const image = old.get(tile) || load(box, tile);
      old.delete(tile);
      const [px, py] = [Math.round(x * side - left), Math.round(y * side - top)];
      image.style.left = `${px}px`;
      image.style.top = `${py}px`;
      image.style.width = `${Math.round((x + 1) * side - left) - px}px`; // no seams
      image.style.height = `${Math.round((y + 1) * side - top) - py}px`;
    }
    for (const image of old.values()) image.remove();
  }
  const border = Math.round(view.border * width);
  swipe.style.left = `${border}px`;
  swipe.setAttribute("aria-valuenow", Math.round(100 * view.border));
  layers[0].box.style.clipPath = `inset(0 ${width - border}px 0 0)`;
  layers[1].box.style.clipPath = `inset(0 0 0 ${border}px)`;
}

function load(box, tile) {
  const [method, z, x, y] = tile.split("/"), image = new Image(), begun = performance.now();
  image.dataset.tile = tile;
  image.alt = "";
  image.draggable = false;
  image.onload = () => { $("status").value = `${method}: ${Math.round(performance.now() - begun)} ms a tile, zoom ${z}`; };
  image.onerror = () => fail(image);
  image.src = scene.tiles.replace("{method}", method).replace("{z}", z).replace("{x}", x).replace("{y}", y);
  return box.appendChild(image);
}

async function fail(image) {
  image.style.visibility = "hidden";
  const answer = await fetch(image.src).catch(() => null);
  if (!answer) $("status").value = "the server does not answer: is panflow serve still running?";
  else if (answer.status !== 404) $("status").value = await answer.text(); // 404: a corner that the scene leaves out
}

function zoom(by, x = map.clientWidth / 2, y = map.clientHeight / 2) { // towards a point on the screen
  const dx = x - map.clientWidth / 2, dy = y - map.clientHeight / 2, before = 2 ** view.zoom;
  view.zoom = clamp(view.zoom + by, whole() - 1, scene.zooms[1] + CLOSER);
  const after = 2 ** view.zoom;
  move(dx / before - dx / after, dy / before - dy / after);
}

function move(x, y) {
  view.x = clamp(view.x + x, low.x, high.x);
  view.y = clamp(view.y + y, low.y, high.y);
  draw();
}

function whole() { // the zoom at which all of the scene is seen
  return Math.log2(Math.min(map.clientWidth / (high.x - low.x), map.clientHeight / (high.y - low.y)));
}

function fit() {
  Object.assign(view, { x: (low.x + high.x) / 2, y: (low.y + high.y) / 2, zoom: whole() });
  draw();
}

function dragged(element, move) { // move(dx, dy, event) while a pointer that went down on the element is held
  element.addEventListener("pointerdown", (down) => {
    down.stopPropagation();
    element.setPointerCapture(down.pointerId);
    map.classList.add("moving");
    let last = down;
    const go = (event) => { move(event.clientX - last.clientX, event.clientY - last.clientY, event); last = event; };
    const end = () => { element.removeEventListener("pointermove", go); map.classList.remove("moving"); };
    element.addEventListener("pointermove", go);
    for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, end, { once: true });
  });
}

function setBorder(share) {
  view.border = clamp(share, 0, 1);
  draw();
}

const KEYS = { // how many pixels the map moves, or the border
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};

function keys(event) {
  const step = KEYS[event.key];
  if (event.key === "+" || event.key === "=") zoom(1);
  else if (event.key === "-") zoom(-1);
  else if (step && event.target === swipe) setBorder(view.border + 0.02 * (step[0] - step[1]));
  else if (step) move(64 * step[0] / 2 ** view.zoom, 64 * step[1] / 2 ** view.zoom);
  else return;
  event.preventDefault();
}

async function start() {
  scene = await (await fetch("scene.json")).json();
  const [west, south, east, north] = scene.bounds;
  [low, high] = [place(west, north), place(east, south)];
  document.title = $("name").textContent = scene.name;
  layers.forEach(({ select, name }, i) => {
    for (const method of scene.methods) select.add(new Option(method === "exp" ? "MS (exp)" : method, method));
    select.value = i ? scene.method : "exp";
    const chosen = () => { name.textContent = select.selectedOptions[0].text; draw(); };
    select.addEventListener("change", chosen);
    name.textContent = select.selectedOptions[0].text;
  });
  dragged(map, (dx, dy) => move(-dx / 2 ** view.zoom, -dy / 2 ** view.zoom));
  dragged(swipe, (_dx, _dy, event) => setBorder((event.clientX - map.getBoundingClientRect().left) / map.clientWidth));
  const towards = (by, event) => {
    const box = map.getBoundingClientRect();
    event.preventDefault();
    zoom(by, event.clientX - box.left, event.clientY - box.top);
  };
  map.addEventListener("wheel", (event) => towards(clamp(-event.deltaY / 200, -1, 1), event), { passive: false });
  map.addEventListener("dblclick", (event) => towards(1, event));
  map.addEventListener("keydown", keys);
  $("in").addEventListener("click", () => zoom(1));
  $("out").addEventListener("click", () => zoom(-1));
  $("fit").addEventListener("click", fit);
  addEventListener("resize", draw);
  fit();
}

start().catch((error) => { $("status").value = String(error); });
