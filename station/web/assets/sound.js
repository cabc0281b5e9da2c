// SPDX-License-Identifier: Apache-2.0
// Two falling tones for a board that failed, three for a slot that went out of service. Off until somebody turns it on.

const TONES = { fail: [540, 400], out: [400, 400, 300] };
const APART = 1.5; // seconds: a whole hub that fails at once is one alarm

export class Sound {
  constructor() {
    this.on = localStorage.getItem("sound") === "on";
    this.quiet = 0;
  }

  toggle() {
    this.on = !this.on;
    localStorage.setItem("sound", this.on ? "on" : "off");
    if (this.on) this.play("fail");
  }

  play(kind) {
    if (!this.on) return;
    this.audio ??= new AudioContext();
    this.audio.resume();
    const begin = this.audio.currentTime;
    if (begin < this.quiet) return;
    this.quiet = begin + APART;
    TONES[kind].forEach((pitch, index) => this.tone(pitch, begin + index * 0.22));
  }

  tone(pitch, at) {
    const source = new OscillatorNode(this.audio, { type: "square", frequency: pitch });
    const volume = new GainNode(this.audio, { gain: 0 });
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.25, at + 0.02);
    volume.gain.linearRampToValueAtTime(0, at + 0.19);
    source.connect(volume).connect(this.audio.destination);
    source.start(at);
    source.stop(at + 0.2);
  }
}
