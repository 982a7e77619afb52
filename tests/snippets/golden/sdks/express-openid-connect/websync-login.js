// Websync goal "Shop visitors, everything", revision 7.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// Save it as "websync-login.js" beside your server. There switch off the built-in /login, and add this one:
//   app.use(auth({ ...config, routes: { login: false } }));
//   app.get("/login", require("./websync-login")({ returnTo: "/" }));
const PARAMETERS = ["ext-bc_profile_id", "ext-bcp_newsletter", "ext-bcp_favouritecategory_ucudav", "ext-bcp_first_visit"];

// `options` are those of res.oidc.login().
module.exports = (options = {}) => (req, res) => {
  const parameters = {};
  for (const name of PARAMETERS) {
    const value = req.query[name];
    // Anybody can write this address: only what the login call of the site could have sent goes on.
    if (typeof value === "string" && /^[\w.~*-]{1,255}$/.test(value)) parameters[name] = value;
  }
  return res.oidc.login({
    ...options,
    authorizationParams: { ...parameters, ...options.authorizationParams },
  });
};
