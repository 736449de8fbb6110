// The agent's version, as package.json has it; a test keeps the two together.

export const AGENT_VERSION = '0.1.0';
