// What shops call what people do, as one table: the e-commerce, e-mail, live chat, experiment and mobile events that
// clients send under agreed names (Segment's Ecommerce v2, Email, Live Chat, A/B testing and Mobile specs), each with its
// properties and what each of them can be.

export type Kind =
  | "id" // text or a number: a shop's own name of something
  | "text"
  | "words" // somebody's own: sealed, whatever stands in it
  | "amount" // a number or a decimal as text, not negative: money of the event's currency
  | "signed" // the same, of either sign
  | "whole" // a whole number, or one as text
  | "number"
  | "flag" // true or false
  | "currency" // three letters of ISO 4217
  | "instant"
  | "object"
  | "products" // a list of products
  | "pairs"; // a list of {type, value}

/** Who may say it, and what it moves. */
export type Role =
  | "behaviour" // moves no figure
  | "order" // an order told whole: from a server or a file it counts, from a page it is a claim
  | "product"; // what a product is, costs, and how many there are: from a server or a file alone

export type Known = { properties: Record<string, Kind>; role: Role; group: Group };
export type Group = "shop" | "mail" | "chat" | "experiment" | "app" | "catalogue";

const product: Record<string, Kind> = {
  product_id: "id",
  sku: "id",
  category: "text",
  name: "text",
  brand: "text",
  variant: "text",
  price: "amount",
  quantity: "whole",
  coupon: "text",
  position: "whole",
  url: "text",
  image_url: "text",
};
/** What a product of a list may say. `discount`, `tax` and `currency` are what GA4's items add. */
export const listed: Record<string, Kind> = {
  ...product,
  currency: "currency",
  discount: "amount",
  tax: "amount",
  value: "amount",
};
const amounts: Record<string, Kind> = {
  order_id: "id",
  checkout_id: "id",
  affiliation: "text",
  value: "amount",
  subtotal: "amount",
  total: "amount",
  revenue: "amount",
  shipping: "amount",
  tax: "amount",
  discount: "amount",
  coupon: "text",
  currency: "currency",
  products: "products",
};
const promotion: Record<string, Kind> = {
  promotion_id: "id",
  creative: "text",
  name: "text",
  position: "id",
};
const step: Record<string, Kind> = {
  checkout_id: "id",
  order_id: "id",
  step: "whole",
  shipping_method: "text",
  payment_method: "text",
};
const coupon: Record<string, Kind> = {
  order_id: "id",
  cart_id: "id",
  coupon_id: "id",
  coupon_name: "text",
  discount: "amount",
  reason: "text",
};
const list: Record<string, Kind> = {
  list_id: "id",
  category: "text",
  products: "products",
};
const mail: Record<string, Kind> = {
  context: "object",
  email_id: "id",
  email_subject: "text",
  campaign_id: "id",
  campaign_name: "text",
  link_id: "id",
  link_url: "text",
  list_id: "id",
  list_name: "text",
};
const chat: Record<string, Kind> = {
  agent_id: "id",
  agent_name: "words",
  agent_username: "words",
  conversation_id: "id",
  conversation_duration: "number",
  message_id: "id",
  message_body: "words",
};
const campaign: Record<string, Kind> = {
  campaign: "object",
  provider: "text",
  from_background: "flag",
  referring_application: "text",
  url: "text",
  version: "id",
  build: "id",
  previous_version: "id",
  previous_build: "id",
};
const push: Record<string, Kind> = { action: "text", ...campaign };
const wish: Record<string, Kind> = { wishlist_id: "id", wishlist_name: "text", ...product };

const shop = (properties: Record<string, Kind>): Known => ({
  properties,
  role: "behaviour",
  group: "shop",
});
const of = (group: Group, properties: Record<string, Kind>): Known => ({
  properties,
  role: "behaviour",
  group,
});
const order = (properties: Record<string, Kind>): Known => ({
  properties,
  role: "order",
  group: "shop",
});
const shown = { ...product, currency: "currency", value: "amount" } as const;

/** The name of the event by which a shop tells its catalogue: what it does not name stays as it was. */
const productUpdated = "Product Updated";

export const vocabulary: Record<string, Known> = {
  "Products Searched": shop({ query: "text" }),
  "Product List Viewed": shop(list),
  "Product List Filtered": shop({ ...list, filters: "pairs", sorts: "pairs" }),
  "Promotion Viewed": shop(promotion),
  "Promotion Clicked": shop(promotion),
  "Product Clicked": shop(shown),
  "Product Viewed": shop(shown),
  "Product Added": shop({ cart_id: "id", ...shown }),
  "Product Removed": shop({ cart_id: "id", ...shown }),
  "Cart Viewed": shop({
    cart_id: "id",
    currency: "currency",
    value: "amount",
    products: "products",
  }),
  "Checkout Started": shop(amounts),
  "Checkout Step Viewed": shop(step),
  "Checkout Step Completed": shop(step),
  "Payment Info Entered": shop(step),
  "Order Updated": order(amounts),
  "Order Completed": order(amounts),
  "Order Refunded": order(amounts),
  "Order Cancelled": order(amounts),
  "Coupon Entered": shop(coupon),
  "Coupon Applied": shop(coupon),
  "Coupon Denied": shop(coupon),
  "Coupon Removed": shop(coupon),
  "Product Added to Wishlist": shop(wish),
  "Product Removed from Wishlist": shop(wish),
  "Wishlist Product Added to Cart": shop({ ...wish, cart_id: "id" }),
  "Product Shared": shop({
    share_via: "text",
    share_message: "words",
    recipient: "words",
    ...product,
  }),
  "Cart Shared": shop({
    share_via: "text",
    share_message: "words",
    recipient: "words",
    cart_id: "id",
    products: "products",
  }),
  // A rating is text in the spec: "5" or "five stars".
  "Product Reviewed": shop({
    product_id: "id",
    review_id: "id",
    review_body: "words",
    rating: "text",
  }),

  "Email Delivered": of("mail", mail),
  "Email Opened": of("mail", mail),
  "Email Link Clicked": of("mail", mail),
  "Email Bounced": of("mail", mail),
  "Email Marked as Spam": of("mail", mail),
  Unsubscribed: of("mail", mail),

  "Live Chat Conversation Started": of("chat", chat),
  "Live Chat Message Sent": of("chat", chat),
  "Live Chat Message Received": of("chat", chat),
  "Live Chat Conversation Ended": of("chat", chat),

  "Experiment Viewed": of("experiment", {
    experiment_id: "id",
    experiment_name: "text",
    variation_id: "id",
    variation_name: "text",
  }),

  "Application Installed": of("app", campaign),
  "Application Opened": of("app", campaign),
  "Application Backgrounded": of("app", campaign),
  "Application Foregrounded": of("app", campaign),
  "Application Updated": of("app", campaign),
  "Application Uninstalled": of("app", campaign),
  "Application Crashed": of("app", campaign),
  "Install Attributed": of("app", campaign),
  "Push Notification Received": of("app", push),
  "Push Notification Tapped": of("app", push),
  "Push Notification Bounced": of("app", push),
  "Deep Link Clicked": of("app", campaign),
  "Deep Link Opened": of("app", campaign),

  [productUpdated]: {
    properties: {
      ...product,
      currency: "currency",
      stock: "whole",
      image: "text",
      merchant: "id",
      goods: "flag",
      seen: "flag",
    },
    role: "product",
    group: "catalogue",
  },
};

/**
 * How other protocols spell these events: GA4, 神策 (Sensors) and its e-commerce templates, PostHog's mobile library. What
 * only differs in capitals, spaces, underscores and hyphens ("productViewed", "product_viewed") needs no line here.
 * Plain words such as "search" or "refund" mean a shop's event only where one of its own properties comes along.
 */
export const eventSpellings: Record<string, string> = {
  // GA4
  search: "Products Searched",
  view_search_results: "Products Searched",
  view_item_list: "Product List Viewed",
  select_item: "Product Clicked",
  view_item: "Product Viewed",
  add_to_cart: "Product Added",
  remove_from_cart: "Product Removed",
  view_cart: "Cart Viewed",
  begin_checkout: "Checkout Started",
  add_payment_info: "Payment Info Entered",
  purchase: "Order Completed",
  refund: "Order Refunded",
  add_to_wishlist: "Product Added to Wishlist",
  view_promotion: "Promotion Viewed",
  select_promotion: "Promotion Clicked",
  // 神策
  $AppInstall: "Application Installed",
  $AppStart: "Application Opened",
  $AppEnd: "Application Backgrounded",
  $AppPushReceived: "Push Notification Received",
  $AppPushClick: "Push Notification Tapped",
  $AppDeeplinkLaunch: "Deep Link Opened",
  $AppCrashed: "Application Crashed",
  commodityDetail: "Product Viewed",
  viewProduct: "Product Viewed",
  addToShoppingcart: "Product Added",
  searchRequest: "Products Searched",
  payOrder: "Order Completed",
  cancelPayOrder: "Order Cancelled",
  // others
  "Completed Order": "Order Completed",
  "Viewed Product": "Product Viewed",
  "Added Product": "Product Added",
  "Removed Product": "Product Removed",
  "Viewed Product Category": "Product List Viewed",
  "Order Placed": "Order Completed",
  "Order Canceled": "Order Cancelled",
  "Application Open": "Application Opened",
  Unsubscribe: "Unsubscribed",
};

/** How properties of these events are spelt elsewhere; camelCase ("productId", "orderID") needs no line here. */
export const propertySpellings: Record<string, string> = {
  transaction_id: "order_id",
  order_number: "order_id",
  order_no: "order_id",
  items: "products",
  product_list: "products",
  item_id: "product_id",
  item_name: "name",
  item_brand: "brand",
  item_category: "category",
  item_variant: "variant",
  item_list_id: "list_id",
  commodity_id: "product_id",
  commodity_name: "name",
  commodity_quantity: "quantity",
  price_per_commodity: "price",
  product_name: "name",
  product_brand: "brand",
  product_category: "category",
  product_price: "price",
  unit_price: "price",
  order_amount: "total",
  order_actual_amount: "total",
  total_price: "total",
  keyword: "query",
  key_word: "query",
  search_term: "query",
  search_string: "query",
  qty: "quantity",
  amount: "total",
  image_link: "image_url",
  inventory: "stock",
  inventory_quantity: "stock",
  promotion_name: "name",
  creative_name: "creative",
  creative_slot: "position",
  payment_type: "payment_method",
  shipping_tier: "shipping_method",
};
