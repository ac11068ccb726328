// Who is signed in, and what they may do. The API decides; the page leaves out what it would refuse.
const ROLES = ["viewer", "operator", "admin"];

export const me = { needed: false, open: true, name: null, role: "admin", way: "open", must_change: false };
export const setMe = (session) => Object.assign(me, session);
export const may = (role) => ROLES.indexOf(me.role) >= ROLES.indexOf(role);
export const roles = () => ROLES.filter(may);
